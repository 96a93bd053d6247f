"""Animated textures: frames that each have the look of the source, and follow each other in a loop (Snelgrove 2017).

    texjax synthesize bark.jpg --config animation --config.frames=12

The frames match Gram matrices of random filters, as in config `random`. The inter-frame loss of subjective-functions
keeps each frame as far from the next as the source is from itself when it is moved by `shift` pixels. All frames are
optimized together, so that time and memory grow with their number. Beside image_0000.png, image_0001.png and on, the
run directory gets animation.webp and animation.gif. Flags animate other configs, with -c as the number of frames:
--config snelgrove -c 8 --if-shift 5.

Argument: `tiny` makes 3 frames of 48 px with 2 octaves in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = defaults()
    config.size = (256, 256)
    config.frames = 8
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", padding="circular"))
    config.terms = ConfigDict(
        dict(
            gram=dict(name="gram", layers=dict(pixels=1.0, conv1_1=1.0), normalization="pixels"),
            inter_frame=dict(
                name="inter_frame",
                weight=1e-5,  # small, because the Gram matrices of random filters are small too
                layers=dict(pixels=1.0),
                shift=1.0,
            ),
        )
    )
    config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.max_iter = 200
    if arg.tiny:
        config.update(size=(48, 48), octaves=2, frames=3, max_iter=6, save_every=3)
        config.features.channels = 16
    return config
