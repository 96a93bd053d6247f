"""Optimizers of images. The names in `__all__` are the possible values of `optimizer.name`."""

from texjax.optimizers.jaxopt_lbfgs import lbfgs, lbfgsb
from texjax.optimizers.optax_minimizers import adam, optax_lbfgs

__all__ = ["adam", "lbfgs", "lbfgsb", "optax_lbfgs"]
