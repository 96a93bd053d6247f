"""How are sources analyzed where the picture tiles: padded as the picture or reflected, and with uneven light or not?

    texjax sweep ablations/analysis bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR
    python experiments/contact_sheet.py SWEEP_DIR analysis.png --corners

With circular padding, the jump between opposite edges of a photograph counts as a feature, and the picture gets a line.
The last is the default of config `texture` for sources that do not tile.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated_texture
from texjax.sweeps.grids import over, zipped

PADDING = ("circular", "circular", "reflect", "reflect", "reflect")
FLATTEN = ("none", "periodic", "none", "plane", "periodic")


def get_config(arg=None):
    return ablated_texture(arg, fit=1.2)


def sweep(add):
    for overrides in zipped(over("source.padding", PADDING), over("source.flatten", FLATTEN)):
        add(**overrides)
