"""Generators: networks that make pictures at once. A config's `generator.name` is one of these."""

from texjax.generators.nca import nca
from texjax.generators.pyramid import pyramid
from texjax.generators.residual import residual

__all__ = ["nca", "pyramid", "residual"]
