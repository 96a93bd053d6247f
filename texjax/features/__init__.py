"""Extractors: networks whose named activations the losses compare. The public list is what `features.name` may be."""

from texjax.features.random_filters import random
from texjax.features.vgg import compact, vgg16, vgg19

__all__ = ["compact", "random", "vgg16", "vgg19"]
