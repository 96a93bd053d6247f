"""Losses: what an image and its sources are compared by. The public list is what a term's `name` may be."""

from texjax.losses.gram import gram
from texjax.losses.mean import mean

__all__ = ["gram", "mean"]
