"""Animated textures: frames that each have the look of the source, and follow each other in a loop (Snelgrove 2017).

    texjax synthesize bark.jpg --config animation --config.frames=12

Gram matrices of random filters, as in config `random`, and the inter-frame loss of subjective-functions: a frame and
the next are as far apart as the source is from itself, moved by `shift` pixels. The frames are optimized together, so
time and memory grow with their number. Beside image_0000.png and on, the run directory holds animation.webp and .gif.
Other configs are animated by flags, with -c as the number of frames: --config snelgrove -c 8 --if-shift 5.

Argument `tiny`: 3 frames of 48 px, 2 octaves and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import gram


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.size = (256, 256)
    config.frames = 8
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", size=11, channels=128, seed=0, padding="circular"))
    config.terms = ConfigDict(
        dict(
            gram=gram(dict(pixels=1.0, conv1_1=1.0), normalization="pixels"),
            inter_frame=dict(
                name="inter_frame",
                weight=1e-5,  # beside the small Gram matrices of random filters
                layers=dict(pixels=1.0),
                octave_weights=(),
                octaves=1,
                shift=1.0,
                order=2,
                distance_type="l2",
            ),
        )
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, frames=3, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
