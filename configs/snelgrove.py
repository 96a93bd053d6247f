"""Snelgrove 2017, high-resolution multi-scale neural texture synthesis (doi 10.1145/3145749.3149449).

    texjax synthesize bark.jpg --config snelgrove --source-width 512 --octaves 4

The constants are those of the author's program, subjective-functions: layers pool1 and conv3_2 of VGG-19, with average
pooling and channels of mean activation 1; octaves that are summed without weights; a start near black (10 of 255); and
L-BFGS with ten curvature pairs for 500 iterations.

Two things differ. Values outside [0, 1] are penalized here, while the original cuts them off at the end, which doubles
the loss. And padding is honored in every layer, while the original's "same" does nothing.

Argument: `tiny` makes 72 px with 2 octaves in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.features = ConfigDict(dict(name="vgg19", pool="average", padding="valid", normalize=True))
    config.terms = ConfigDict(dict(gram=dict(name="gram", layers=dict(pool1=1.0, conv3_2=1.0))))
    config.init = ConfigDict(dict(name="noise", mean=10 / 255, deviation=1 / 255))
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3)
    return config
