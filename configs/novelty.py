"""Pictures that are as unlike each other as possible: Snelgrove's novelty, which imitates no texture.

    texjax synthesize bark.jpg --config novelty --config.frames=5

The Gram matrices of the frames become orthogonal, each with the squared length `mul`, as in novelty.py of
subjective-functions. The original compares features of VGG-19; this config compares those of random filters, which need
no download. The source only gives the mean color to start from. The frames do not follow each other in time, so that
their differences are seen best in image_0000.png, image_0001.png and on. With --internal an octave also becomes unlike
the other octaves, even those of its own frame, and --octave-step 2 compares every second octave.

Argument: `tiny` makes 3 frames of 48 px with 2 octaves in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.size = (256, 256)
    config.frames = 4
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", padding="circular"))
    config.terms = ConfigDict(
        dict(
            novelty=dict(name="novelty", layers=dict(conv1_1=1.0), mul=1e-4),
        )
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=10 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, frames=3, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
