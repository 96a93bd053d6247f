"""Where an optimization starts. Each takes a key, the shape and the sources, and returns an image."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types

Sources = Sequence[Float[Array, "_ _ 3"]]


def noise(
    key: types.PRNGKey, shape: tuple[int, int], sources: Sources, *, mean: float, deviation: float
) -> types.Image:
    """Gaussian noise about one gray level; both in the image's units, [0, 1]."""
    return mean + deviation * jax.random.normal(key, (*shape, 3))


def mean_color(key: types.PRNGKey, shape: tuple[int, int], sources: Sources, *, deviation: float) -> types.Image:
    """Quiet Gaussian noise about the sources' mean color.

    Loud noise stays in the picture for good, as colored speckle: the layers used hardly see it.
    """
    color = jnp.stack([source.mean((0, 1)) for source in sources]).mean(0)
    return color[None, None] + deviation * jax.random.normal(key, (*shape, 3))


__all__ = ["mean_color", "noise"]
