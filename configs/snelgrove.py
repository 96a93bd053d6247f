"""Snelgrove 2017, multi-scale texture synthesis (SIGGRAPH Asia Technical Briefs, doi 10.1145/3145749.3149449).

    texjax synthesize bark.jpg --config snelgrove --source-width 512 --octaves 4

The constants are those of the author's program, subjective-functions: layers pool1 and conv3_2 of VGG-19 with average
pooling and channels of mean activation 1, octaves summed without weights, a start near black (10 of 255), L-BFGS with
ten curvature pairs and 500 iterations. What differs: values outside [0, 1] are penalized (there they are cut off at the
end, which doubles the loss), and padding is honored everywhere (there "same" does nothing).

Argument `tiny`: 72 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import gram


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.features = ConfigDict(
        dict(
            name="vgg19",
            weights="",
            pool="average",
            padding="valid",
            normalize=True,
            precision="float32",
            preprocessing="auto",
        )
    )
    config.terms = ConfigDict(dict(gram=gram(dict(pool1=1.0, conv3_2=1.0))))
    config.init = ConfigDict(dict(name="noise", mean=10 / 255, deviation=1 / 255))
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3)
    return config
