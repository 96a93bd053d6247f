"""Extractors: networks with named activations, which the losses compare. A config's `features.name` is one of these."""

from texjax.features.random_filters import random
from texjax.features.vgg import compact, vgg16, vgg19

__all__ = ["compact", "random", "vgg16", "vgg19"]
