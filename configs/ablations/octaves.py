"""How many octaves does a texture need? Config `texture`'s layers at 1 to 5 of them.

    texjax sweep ablations/octaves bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR --octaves 3

An octave more lets the same layers see twice as far. With one, pebbles fuse and bricks lose their courses; the Gram
error over several octaves falls until the coarsest one sees the largest structure, at 256 px after two or three.
Further ones have few pixels and cost little.

Argument `network=vgg19`: needs its weights, see `texjax weights list`. Argument `tiny`: 72 px and a few iterations.
"""

from texjax.presets import ablated


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for octaves in (1, 2, 3, 4, 5):
        add(octaves=octaves)
