"""How large should patches be, and does a penalty for patches that are used often help? Config `guided_correspondence`.

    texjax sweep ablations/guided_correspondence bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR --measures seconds displacement_score gram_error wavelet_kl seam
    python experiments/contact_sheet.py SWEEP_DIR guided_correspondence.png

Patches have 3 x 3, 5 x 5 and 7 x 7 pixels of a layer, and lie about half of that apart, as in the authors' program. The
penalty is 0, or 0.05 as recommended there. Pictures have 256 px, with 100 steps at full size. Arguments are those of
config `guided_correspondence`.
"""

from texjax import config as configs


def get_config(arg=None):
    config = configs.load(f"guided_correspondence:{arg}" if arg else "guided_correspondence").unlock()
    if max(config.size) > 256:
        config.update(size=(256, 256), max_iter=100)
    return config


def sweep(add):
    for patch in (3, 5, 7):
        for occurrence in (0.0, 0.05):
            settings = dict(patch=patch, stride=max(patch // 2, 2), occurrence=occurrence)
            add(**{f"terms.guided_correspondence.{key}": value for key, value in settings.items()})
