"""Textures from one layer of random filters over a pyramid, with nothing to download (Ustyuzhaninov et al. 2017).

    texjax synthesize bark.jpg --config random

The loss compares Gram matrices of 128 random 11 x 11 filters at each octave, and of the pixels, which give the colors
(arXiv 1606.00021). The pictures tile, because the padding is circular. The method is good for fine and irregular
textures, and blurs large structure.

Argument: `tiny` makes 48 px with 2 octaves in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", padding="circular"))
    config.terms = ConfigDict(
        dict(gram=dict(name="gram", layers=dict(pixels=1.0, conv1_1=1.0), normalization="pixels"))
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
