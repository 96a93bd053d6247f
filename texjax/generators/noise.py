"""Noise of a plane, of which every window has the same values, whatever else is drawn."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types


def uniform(key: types.PRNGKey, window: types.Window, channels: int) -> Float[Array, "h w c"]:
    """Return uniform noise in [-1, 1) of a window of a picture.

    Each row of the whole picture has a key of its own, so that rows can be drawn in any order.
    """
    height, width = window.whole
    rows = (window.top + jnp.arange(window.height)) % height
    columns = (window.left + jnp.arange(window.width)) % width

    def row(index: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(key, index), (width, channels), minval=-1.0)[columns]

    return jax.vmap(row)(rows)


def reduced(window: types.Window, factor: int) -> types.Window:
    """Return the same window of a picture reduced by a factor, which divides all its sides and places."""
    height, width = window.whole
    return types.Window(
        window.top // factor,
        window.left // factor,
        window.height // factor,
        window.width // factor,
        (height // factor, width // factor),
    )
