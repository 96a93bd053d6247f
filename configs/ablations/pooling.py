"""Average or maximum pooling? Each with three seeds.

    texjax sweep ablations/pooling:network=vgg19 bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Gatys et al. 2015 found that averages let gradients through better and give slightly cleaner textures. Without the
argument the network is the compact one, which was trained with averages and is no fair judge; VGG-19 was trained with
maxima.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated
from texjax.sweeps.grids import over, product


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for overrides in product(over("features.pool", ("average", "max")), seed=(0, 1, 2)):
        add(**overrides)
