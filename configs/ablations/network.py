"""Which network? VGG-19, VGG-16, the compact one, and one layer of random filters.

    texjax sweep ablations/network bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

The weights of the VGGs are there only once they are fetched (`texjax weights fetch vgg19`): without them these two runs
fail with a sentence, and the others go on. VGG-16 has no channel means, so that its layers weigh otherwise than theirs.
The compact network comes near VGG-19 at a fraction of its time; random filters keep fine, irregular detail and blur
large structure. Gram errors are taken by one network for all, and favor it.

Argument `tiny`: 72 px and a few iterations.
"""

from texjax.presets import ablated, gram

RANDOM = {"name": "random", "size": 11, "channels": 128, "seed": 0, "padding": "circular"}


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for network in ("vgg19", "vgg16", "compact"):
        add(arg=f"network={network}")
    # Another set of settings and layers, so the groups are replaced as a whole.
    add(features=RANDOM, **{"terms.gram": gram({"pixels": 1.0, "conv1_1": 1.0}, normalization="pixels").to_dict()})
