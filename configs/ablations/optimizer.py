"""Which optimizer, and how should values stay within [0, 1]? All optimizers, with the same number of steps.

    texjax sweep ablations/optimizer bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Losses can be compared here (`--measures loss`), except those of "none", whose values are cut off only when the picture
is saved, which can double the loss. L-BFGS with "penalty" or "sigmoid" gets lowest. L-BFGS-B makes less of a step. Adam
evaluates once in a step and knows no curvature, so that it needs several times as many steps: compare the seconds too.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated
from texjax.sweeps.grids import chain, over

RANGES = {
    "lbfgs": ("penalty", "sigmoid", "clip", "none"),
    "optax_lbfgs": ("penalty", "sigmoid", "clip", "none"),
    "lbfgsb": ("bounds", "none"),
    "adam": ("clip", "penalty", "sigmoid", "none"),
}


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    # Each optimizer has settings of its own beside these, so that the group is replaced as a whole.
    for overrides in chain(*(over("optimizer", [dict(name=n, range=r) for r in RANGES[n]]) for n in RANGES)):
        add(**overrides)
