"""Losses: what a stack of images and its sources are compared by. Each module is one loss.

A function that builds a loss takes settings by keyword and returns a `texjax.types.Loss`. `NAMES` lists the functions
that a term of a config may name. `between` evaluates a loss outside of a config.
"""

from texjax.losses.analogy import analogy
from texjax.losses.autocorrelation import autocorrelation
from texjax.losses.between import between
from texjax.losses.content import content
from texjax.losses.diversity import diversity
from texjax.losses.gram import gram
from texjax.losses.guided_correspondence import guided_correspondence
from texjax.losses.inter_frame import inter_frame
from texjax.losses.mean import mean
from texjax.losses.mrf import mrf
from texjax.losses.novelty import novelty
from texjax.losses.shifted_gram import shifted_gram
from texjax.losses.sliced_wasserstein import sliced_wasserstein
from texjax.losses.smoothness import smoothness
from texjax.losses.spectrum import spectrum

__all__ = [
    "analogy",
    "autocorrelation",
    "between",
    "content",
    "diversity",
    "gram",
    "guided_correspondence",
    "inter_frame",
    "mean",
    "mrf",
    "novelty",
    "shifted_gram",
    "sliced_wasserstein",
    "smoothness",
    "spectrum",
]
NAMES = tuple(name for name in __all__ if name != "between")
