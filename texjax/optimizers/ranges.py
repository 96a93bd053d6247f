"""Ways to keep images in [0, 1] while they are optimized freely."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from texjax import errors, types


class Range(NamedTuple):
    """How the range is kept.

    free: images -> what is optimized; its penalty is zero. image: back again. penalty: of what is optimized, in units
    of the scaled objective. project: applied to what is optimized after every step, where not None.
    """

    free: Callable[[types.Images], types.Images]
    image: Callable[[types.Images], types.Images]
    penalty: Callable[[types.Images], types.Scalar]
    project: Callable[[types.Images], types.Images] | None = None


def _same(x: types.Images) -> types.Images:
    return x


def _nothing(x: types.Images) -> types.Scalar:
    return jnp.zeros((), x.dtype)


def _outside(x: types.Images) -> types.Scalar:
    """Half the squared distance to [0, 1]: curvature 1, as the scaled objective has about curvature 1 (see scaling)."""
    return 0.5 * jnp.sum((x - jnp.clip(x, 0, 1)) ** 2)


def _logit(x: types.Images) -> types.Images:
    return jax.scipy.special.logit(jnp.clip(x, 1e-3, 1 - 1e-3))


def _clip(x: types.Images) -> types.Images:
    return jnp.clip(x, 0, 1)


RANGES = {
    "none": Range(_same, _same, _nothing),
    "clip": Range(_clip, _same, _nothing, _clip),
    "bounds": Range(_clip, _same, _nothing),
    "sigmoid": Range(_logit, jax.nn.sigmoid, _nothing),
    "penalty": Range(_clip, _same, _outside),
}


def check_numbers(**settings: int) -> None:
    """Raises TexjaxError for a setting that is no whole number from 1 up."""
    for name, got in settings.items():
        if isinstance(got, bool) or not isinstance(got, int) or got < 1:
            raise errors.TexjaxError(f"optimizer.{name} is {got}; give a whole number from 1 up.")


def get(name: str, possible: tuple[str, ...], optimizer: str) -> Range:
    """The range handling called `name`; raises TexjaxError where it is unknown or the optimizer cannot do it."""
    if name not in RANGES:
        raise errors.unknown("range handling", name, RANGES)
    if name not in possible:
        raise errors.TexjaxError(
            f"range handling '{name}' is not possible with the optimizer {optimizer}; use one of {', '.join(possible)}."
        )
    return RANGES[name]
