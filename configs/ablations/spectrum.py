"""How much should the source's spectrum weigh beside the Gram matrices?

    texjax sweep ablations/spectrum bricks.png bark.jpg
    python experiments/tabulate.py SWEEP_DIR --measures seconds gram_error wavelet_kl seam bands
    python experiments/contact_sheet.py SWEEP_DIR spectrum.png

The weight 0 is config `texture` without its term for lattices, here at 256 px with 100 steps at full size. Arguments
are those of config `spectrum`.
"""

from texjax import config as configs


def get_config(arg=None):
    config = configs.load(f"spectrum:{arg}" if arg else "spectrum").unlock()
    if max(config.size) > 256:
        config.update(size=(256, 256), max_iter=100)
    return config


def sweep(add):
    for weight in (0.0, 100.0, 1000.0, 10000.0):
        add(**{"terms.spectrum.weight": weight})
