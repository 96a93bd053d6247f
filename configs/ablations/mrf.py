"""How large should patches be, and do turned copies of the source help? Config `cnnmrf`, offline.

    texjax sweep ablations/mrf bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Patches have 2 x 2 to 4 x 4 pixels of a layer and lie at every second pixel. They come from the source alone, or also
from copies with one or two turns of 7.5 degrees to each side. Larger patches copy larger pieces (*displacement_score*
falls) and overlap more; those of 2 x 2 do not overlap at all, so that borders between patches show. Turned copies give
more to choose from, and the search takes as many times longer.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.config import load, parse_arg
from texjax.sweeps.grids import over, product


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = load(f"cnnmrf:tiny={arg.tiny},network={arg.network}").unlock()
    if arg.tiny:
        config.source.fit = 1.0  # turned copies of a source half as large would have no room for the largest patches
    else:
        config.size = (256, 256)
    return config


def sweep(add):
    for overrides in product(over("terms.mrf.patch", (2, 3, 4)), over("terms.mrf.rotations", (0, 1, 2))):
        add(**overrides)
