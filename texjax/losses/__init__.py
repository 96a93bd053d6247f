"""Losses: what an image and its sources are compared by. The public list is what a term's `name` may be."""

from texjax.losses.gram import gram
from texjax.losses.inter_frame import inter_frame
from texjax.losses.mean import mean
from texjax.losses.novelty import novelty

__all__ = ["gram", "inter_frame", "mean", "novelty"]
