"""Noise of a plane, of which every window has the same values, whatever else is drawn."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from texjax import types


def uniform(key: types.PRNGKey, window: types.Window, channels: int) -> Float[Array, "h w c"]:
    """Return uniform noise in [-1, 1) of a window of a picture, for each of its pixels."""
    return _rows(lambda key, width: jax.random.uniform(key, (width, channels), minval=-1.0), key, window)


def bits(key: types.PRNGKey, window: types.Window, words: int) -> UInt32[Array, "h w words"]:
    """Return words of 32 random bits of a window of a picture, so many for each of its pixels."""
    return _rows(lambda key, width: jax.random.bits(key, (width, words)), key, window)


def _rows(draw: Callable[..., Array], key: types.PRNGKey, window: types.Window) -> Array:
    """Return the window of what is drawn of a key for each row of the whole picture, (key, width) -> [width, ...].

    As each row has a key of its own, rows can be drawn in any order.
    """
    height, width = window.whole
    rows = (window.top + jnp.arange(window.height)) % height
    columns = (window.left + jnp.arange(window.width)) % width
    return jax.vmap(lambda row: draw(jax.random.fold_in(key, row), width)[columns])(rows)


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
