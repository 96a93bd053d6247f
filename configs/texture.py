"""Textures: the default. Offline and fast on a laptop, natural in detail, and the pictures tile.

    texjax synthesize bark.jpg

Gram matrices over octaves and layers, as in Snelgrove 2017, of the compact network that ships with texjax, or of VGG-19
by `texture:network=vgg19`. Three things keep the finest detail natural, which pooling hardly sees and optimizing
hardly changes: shallow layers that weigh more, a start with the source's own spectrum, and a quarter and a half of the
size before the whole (`experiments/README.md` has the evidence).

Argument `tiny`: 72 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import gram


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = defaults()
    config.pyramid.padding = "circular"
    config.features = ConfigDict(
        dict(name=arg.network, weights="", pool="average", padding="circular", precision="float32")
    )
    config.terms = ConfigDict(dict(gram=gram(dict(conv1_1=10.0, conv1_2=10.0, conv2_2=3.0, conv3_2=1.0))))
    config.init = ConfigDict(dict(name="random_phase", contrast=1.0))
    config.schedule.steps = (60, 60)
    config.max_iter = 120
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
