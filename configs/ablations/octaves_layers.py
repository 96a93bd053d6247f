"""Few layers over many octaves, or many layers at one? Snelgrove's claim (2017), with two seeds each.

    texjax sweep ablations/octaves_layers bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR --octaves 3
    python experiments/contact_sheet.py SWEEP_DIR sheet.png

The layers are pool1 and conv3_2 against those of Gatys et al. 2015 except pool4, at 1, 2 and 3 octaves. With VGG-19 the
claim holds: two layers over two or three octaves come nearer to the source than four layers at one octave, and no less
near than four layers over as many octaves, which cost more (`experiments/README.md`).

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import GATYS, SNELGROVE, ablated
from texjax.sweeps.grids import over, product


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for overrides in product(over("terms.gram.layers", (SNELGROVE, GATYS)), octaves=(1, 2, 3), seed=(0, 1)):
        add(**overrides)
