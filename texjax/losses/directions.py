"""Directions in a picture as they are compared: up to their sign, so that a stripe has one direction and not two."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Map = Float[Array, "h w c"]


def directions(features: Map, window: int) -> Float[Array, "h w 2"]:
    """Return the direction across which the features change most around each pixel, at twice its angle.

    With the structure tensor J, the mean over a window of sum_c (d_x, d_y)^T (d_x, d_y) (Bigun & Granlund 1987), it is

        (J_xx - J_yy, 2 J_xy) / (J_xx + J_yy) = k (cos 2a, sin 2a),

    where a is the angle from the x axis to the direction, downwards, and k in [0, 1] says how far all changes in the
    window have this direction. Twice the angle makes opposite directions equal, and the inner product of two of these
    vectors is k k' cos 2 (a - a'). Where nothing changes, both numbers are 0.

    Args:
        features: [h, w, c]; both sides are at least 2.
        window: side in pixels of the squares over which the tensor is averaged; odd. Squares that reach over an edge
            see the pixels of the edge repeated.
    """
    down, right = jnp.gradient(features, axis=(0, 1))
    products = [(right * right).sum(2), (down * down).sum(2), (right * down).sum(2)]
    reach = window // 2
    padded = jnp.pad(jnp.stack(products, -1), ((reach, reach), (reach, reach), (0, 0)), "edge")
    xx, yy, xy = jnp.moveaxis(lax.reduce_window(padded, 0.0, lax.add, (window, window, 1), (1, 1, 1), "VALID"), 2, 0)
    total = xx + yy
    doubled = jnp.stack([xx - yy, 2 * xy], -1)
    return jnp.where(total > 0, 1 / jnp.where(total > 0, total, 1), 0)[..., None] * doubled
