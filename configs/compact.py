"""Textures from the compact network that ships with texjax: offline, and fast on a laptop.

    texjax synthesize bark.jpg

Gram matrices over octaves and layers, as in Snelgrove 2017, of a network that was trained to see what VGG-19 sees and
costs a seventh. The layers have VGG-19's names; the shallow ones weigh more, as without them pictures get a weave along
rows and columns (measure "axial": 0.6 instead of 1.2 on bark, 0.1 instead of 1.1 on bricks, 256 px, 150 iterations).
Pictures tile, since the padding is circular.

Argument `tiny`: 72 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.pyramid.padding = "circular"
    config.features = ConfigDict(
        dict(name="compact", weights="", pool="average", padding="circular", precision="float32")
    )
    config.terms = ConfigDict(
        dict(
            gram=dict(
                name="gram",
                weight=1.0,
                layers=dict(conv1_1=10.0, conv1_2=10.0, conv2_2=3.0, conv3_2=1.0),
                octave_weights=(),
                normalization="pixels_channels",
                mul=1.0,
                join="average",
                join_weights=(),
                join_position=0.5,
                join_regularization=1e-3,
            )
        )
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3)
    return config
