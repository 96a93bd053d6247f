"""What does the padding of network and pyramid do to the borders? Both are changed together, with two seeds.

    texjax sweep ablations/padding bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR
    python experiments/contact_sheet.py SWEEP_DIR seams.png --corners

"same" pads the network with zeros. The pyramid has no such padding, and is unpadded then. Measure *seam* is about 1 for
"circular" alone, whose pictures tile. Unpadded features hardly see the border, so that a rim of the picture is left
half made; they also need sources of 137 px or more.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated
from texjax.sweeps.grids import over, product, zipped

NETWORK = ("valid", "same", "reflect", "circular")
PYRAMID = ("valid", "valid", "reflect", "circular")


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    paddings = zipped(over("features.padding", NETWORK), over("pyramid.padding", PYRAMID))
    for overrides in product(paddings, seed=(0, 1)):
        add(**overrides)
