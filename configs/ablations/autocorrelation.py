"""How much should the autocorrelation of features weigh beside the Gram matrices?

    texjax sweep ablations/autocorrelation tiles.png bark.jpg
    python experiments/tabulate.py SWEEP_DIR --measures seconds gram_error wavelet_kl seam bands
    python experiments/contact_sheet.py SWEEP_DIR autocorrelation.png

The weight 0 is config `texture` without its term for lattices, here at 256 px with 100 steps at full size. Arguments
are those of config `autocorrelation`.
"""

from texjax import config as configs


def get_config(arg=None):
    config = configs.load(f"autocorrelation:{arg}" if arg else "autocorrelation").unlock()
    if max(config.size) > 256:
        config.update(size=(256, 256), max_iter=100)
    return config


def sweep(add):
    for weight in (0.0, 10.0, 100.0, 1000.0):
        add(**{"terms.autocorrelation.weight": weight})
