"""How many directions does the sliced Wasserstein loss need, and how often are they drawn?

    texjax sweep ablations/sliced_wasserstein bark.jpg
    python experiments/tabulate.py SWEEP_DIR --measures seconds gram_error wavelet_kl color_distance bands
    python experiments/contact_sheet.py SWEEP_DIR sliced_wasserstein.png

These are runs of config `sliced_wasserstein`, 256 px with 100 steps at full size, with 8, 32 and 128 directions. They
hold for 1, 10 and 1000 steps, and 1000 are more than any size takes. The losses of runs cannot be compared, as their
directions differ. Arguments are those of config `sliced_wasserstein`.
"""

from texjax import config as configs


def get_config(arg=None):
    return configs.load(f"sliced_wasserstein:{arg}" if arg else "sliced_wasserstein").unlock()


def sweep(add):
    for directions in (8, 32, 128):
        for redraw in (1, 10, 1000):
            add(**{"terms.sliced_wasserstein.directions": directions, "terms.sliced_wasserstein.redraw": redraw})
