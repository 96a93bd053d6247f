"""Style transfer by Gram matrices over octaves: the default of `texjax transfer`, offline.

    texjax transfer photo.jpg painting.jpg
    texjax transfer photo.jpg painting.jpg --config multiscale_style:network=vgg19

The style is what config `texture` matches, Gram matrices of few layers over four octaves (Snelgrove 2017), so that its
large strokes are seen by shallow layers of small octaves; beside it the content's features at conv3_4, in every octave,
from which the picture also starts, at a quarter, a half and the whole of its size.

Argument `shallow` changes nothing, as no layer is deeper than conv3_4. Argument `tiny`: 72 px, 2 octaves and a few
iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import content, gram, smoothness


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="compact")
    config = defaults()
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(
        dict(name=arg.network, weights="", pool="average", padding="reflect", precision="float32")
    )
    config.terms = ConfigDict(
        dict(
            gram=gram(dict(conv1_1=10.0, conv1_2=10.0, conv2_2=3.0, conv3_2=1.0)),
            content=content(dict(conv3_4=1.0), weight=3.0),  # by eye: 1 loses the photo, 10 the style's larger forms
            smoothness=smoothness(0.0),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", of="content"))
    config.schedule.steps = (60, 60)
    config.max_iter = 120
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
