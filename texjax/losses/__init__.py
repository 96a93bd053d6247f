"""Losses: what an image and its sources are compared by. The public list is what a term's `name` may be."""

from texjax.losses.analogy import analogy
from texjax.losses.content import content
from texjax.losses.gram import gram
from texjax.losses.inter_frame import inter_frame
from texjax.losses.mean import mean
from texjax.losses.mrf import mrf
from texjax.losses.novelty import novelty
from texjax.losses.smoothness import smoothness

__all__ = ["analogy", "content", "gram", "inter_frame", "mean", "mrf", "novelty", "smoothness"]
