"""Optimizers of images. The public list is what `optimizer.name` may be."""

from texjax.optimizers.jaxopt_lbfgs import lbfgs, lbfgsb
from texjax.optimizers.optax_minimizers import adam, optax_lbfgs

__all__ = ["adam", "lbfgs", "lbfgsb", "optax_lbfgs"]
