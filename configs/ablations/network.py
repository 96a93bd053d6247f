"""Which network? VGG-19, VGG-16, the compact one, and one layer of random filters.

    texjax sweep ablations/network bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

The weights of the VGGs must be fetched first (`texjax weights fetch vgg19`). Without them these two runs fail with a
sentence, and the others go on. VGG-16 has no channel means, so that its layers weigh otherwise than those of the other
networks. The compact network comes near VGG-19 in a fraction of its time. Random filters keep fine, irregular detail,
and blur large structure. One network takes the Gram errors of all runs, and so favors itself.

Argument: `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated

RANDOM = {"name": "random", "padding": "circular"}
GRAM = {"name": "gram", "layers": {"pixels": 1.0, "conv1_1": 1.0}, "normalization": "pixels"}


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for network in ("vgg19", "vgg16", "compact"):
        add(arg=f"network={network}")
    # Random filters have other settings and layers, so that the groups are replaced as a whole.
    add(features=RANDOM, **{"terms.gram": GRAM})
