"""Textures from one layer of random filters over a pyramid: nothing to download (Ustyuzhaninov et al. 2017).

    texjax synthesize bark.jpg

Gram matrices of 128 random 11 x 11 filters (and of the pixels, for the colors) at each octave. Pictures tile, since the
padding is circular. They are good for fine and irregular textures and blur what has large structure.

Argument `tiny`: 48 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import gram


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", size=11, channels=128, seed=0, padding="circular"))
    config.terms = ConfigDict(dict(gram=gram(dict(pixels=1.0, conv1_1=1.0), normalization="pixels")))
    config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
