"""How should several sources become one texture? The ways to join their Gram matrices.

    texjax sweep ablations/joins FOLDER
    python experiments/tabulate.py SWEEP_DIR

The folder holds two pictures or more, for one run; pictures that are named one by one would be runs without a join.
"average" has the statistics of a patchwork, each source in some places. The geometric means ("log_euclidean" and
"affine_invariant") keep what the sources have in common, and look more like one material between them. "max" has at
least the contrast of each source. The measures compare with all sources pooled, and so favor "average".

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    for join in ("average", "max", "log_euclidean", "affine_invariant"):
        add(**{"terms.gram.join": join})
