"""How many octaves does a texture need? Config `texture`'s layers at 1 to 5 of them.

    texjax sweep ablations/octaves bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR --octaves 3

With one octave more the same layers see twice as far. With one octave, pebbles fuse and bricks lose their courses. The
Gram error over several octaves falls until the coarsest octave sees the largest structure, which at 256 px takes two or
three octaves. Further octaves have few pixels and cost little.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for octaves in (1, 2, 3, 4, 5):
        add(octaves=octaves)
