"""Are features in bf16 as good as in float32?

    texjax sweep ablations/precision bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR --measures seconds gram_error wavelet_kl seam bands
    python experiments/contact_sheet.py SWEEP_DIR precision.png

On a processor with AMX and with oneDNN, bf16 takes a third of the time of float32. Where a picture is smooth, its
rounding hides small steps, and line searches fail (`experiments/README.md` has the evidence).

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.presets import ablated_texture
from texjax.sweeps.grids import over


def get_config(arg=None):
    return ablated_texture(arg, fit=2.0)


def sweep(add):
    for overrides in over("features.precision", ("float32", "bf16")):
        add(**overrides)
