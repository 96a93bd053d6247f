"""Pictures as unlike each other as can be: Snelgrove's novelty, with no texture to imitate.

    texjax synthesize bark.jpg --config novelty --config.frames=5

The Gram matrices of the frames become orthogonal, each of squared length `mul`, as in subjective-functions' novelty.py
(there of VGG-19, here of random filters, which need no download). A source gives the mean color to start from, and no
more. The frames are no animation in time; what differs between them is seen best in image_0000.png and on. With
--internal an octave is unlike the others too, also those of its own frame; --octave-step 2 looks at every second one.

Argument `tiny`: 3 frames of 48 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.size = (256, 256)
    config.frames = 4
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", size=11, channels=128, seed=0, padding="circular"))
    config.terms = ConfigDict(
        dict(
            novelty=dict(
                name="novelty", weight=1.0, layers=dict(conv1_1=1.0), octave_weights=(), mul=1e-4, internal=False
            ),
        )
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=10 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, frames=3, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
