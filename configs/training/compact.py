"""Training of the compact network: VGG-19's first three blocks distilled into a fraction of their widths.

    python experiments/train_compact.py PHOTOGRAPHS VGG19_WEIGHTS OUT_DIR

The training takes about an hour on two CPU cores. `weights/README.md` has the result, and says what else was tried.

Argument: `tiny` makes a few steps with small batches, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False)
    config = ConfigDict()
    config.seed = 0
    config.widths = (16, 32, 96)  # of the student's blocks; the teacher's are 64, 128, 256
    config.steps = 4_000
    config.learning_rate = 4e-3  # the highest one, after `warmup` steps; then it falls to zero by a cosine
    config.warmup = 200
    config.size = 72  # side of the crops in pixels
    config.photos = 8  # crops of photographs in a batch
    config.syntheses = 8  # half-finished syntheses in a batch
    config.pool = 128  # half-finished syntheses that are kept
    config.iterations = 2  # optimizer steps that each synthesis of a batch makes
    config.visits = 40  # batches after which a synthesis starts anew
    config.losses = ConfigDict(
        dict(features=1.0, grams=0.1)
    )  # weights of the projected features and of their Gram matrices
    config.save_every = 200
    if arg.tiny:
        config.update(widths=(4, 8, 8), steps=30, warmup=3, save_every=10, learning_rate=1e-2)
        config.update(size=24, photos=4, syntheses=2, pool=4, iterations=1)
    return config
