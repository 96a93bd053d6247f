"""Which optimizer, and how should values stay within [0, 1]? As many steps of each.

    texjax sweep ablations/optimizer bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Here losses can be compared (`--measures loss`), but for "none", whose values are cut off only as the picture is saved,
which can double the loss. L-BFGS with "penalty" or "sigmoid" gets lowest; L-BFGS-B makes less of a step; Adam, which
evaluates once a step and knows no curvature, needs several times as many. So mind the seconds.

Argument `network=vgg19`: needs its weights, see `texjax weights list`. Argument `tiny`: 72 px and a few iterations.
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
    # The whole group: they have settings of their own beside these.
    for overrides in chain(*(over("optimizer", [dict(name=n, range=r) for r in RANGES[n]]) for n in RANGES)):
        add(**overrides)
