"""How much should shifted Gram matrices weigh beside the Gram matrices, and how far should they be shifted?

    texjax sweep ablations/shifted_gram tiles.png bark.jpg
    python experiments/tabulate.py SWEEP_DIR --measures seconds gram_error wavelet_kl seam bands
    python experiments/contact_sheet.py SWEEP_DIR shifted_gram.png

The weight 0 is config `texture` without its term for lattices, here at 256 px with 100 steps at full size. The weights
are those of shifts by 1, 2 and 4 pixels, and further shifts have the weight of the config. Arguments are those of
config `shifted_gram`.
"""

from texjax import config as configs


def get_config(arg=None):
    config = configs.load(f"shifted_gram:{arg}" if arg else "shifted_gram").unlock()
    if max(config.size) > 256:
        config.update(size=(256, 256), max_iter=100)
    return config


def sweep(add):
    for weight in (0.0, 0.3, 3.0, 30.0):
        add(**{"terms.shifted_gram.weight": weight})
    for shifts in ((1,), (1, 2), (4,)):
        add(**{"terms.shifted_gram.shifts": shifts})
