"""Ways to keep images in [0, 1] while an unconstrained optimizer changes them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from texjax import errors, types


class Range(NamedTuple):
    """One way to keep images in [0, 1].

    to_variables: images -> the variables that the optimizer changes, which have no penalty.
    to_images: variables -> images.
    penalty: variables -> scalar, in units of the scaled objective.
    project: variables -> variables, applied after every step; None where nothing is.
    """

    to_variables: Callable[[types.Images], types.Images]
    to_images: Callable[[types.Images], types.Images]
    penalty: Callable[[types.Images], types.Scalar]
    project: Callable[[types.Images], types.Images] | None = None


def _identity(x: types.Images) -> types.Images:
    return x


def _no_penalty(x: types.Images) -> types.Scalar:
    return jnp.zeros((), x.dtype)


def _quadratic_penalty(x: types.Images) -> types.Scalar:
    """Return half the squared distance to [0, 1]: its curvature is 1, about that of the scaled objective."""
    return 0.5 * jnp.sum((x - jnp.clip(x, 0, 1)) ** 2)


def _logit(x: types.Images) -> types.Images:
    return jax.scipy.special.logit(jnp.clip(x, 1e-3, 1 - 1e-3))


def _clip(x: types.Images) -> types.Images:
    return jnp.clip(x, 0, 1)


RANGES = {
    "none": Range(_identity, _identity, _no_penalty),
    "clip": Range(_clip, _identity, _no_penalty, _clip),
    "bounds": Range(_clip, _identity, _no_penalty),
    "sigmoid": Range(_logit, jax.nn.sigmoid, _no_penalty),
    "penalty": Range(_clip, _identity, _quadratic_penalty),
}


def get(name: str, possible: tuple[str, ...], optimizer: str) -> Range:
    """Return the range handling `name`.

    Raises TexjaxError for an unknown name, and for one that is not among those `possible` with the optimizer.
    """
    if name not in RANGES:
        raise errors.unknown("range handling", name, RANGES)
    if name not in possible:
        raise errors.TexjaxError(
            f"range handling '{name}' is not possible with the optimizer {optimizer}; use one of {', '.join(possible)}."
        )
    return RANGES[name]
