"""Second moments of features, which the Gram matrices of textures are made of."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import types


def second(features: types.Feature, mask: types.Mask | None = None) -> types.Moments:
    """Return the sums over the pixels p of m_p F_p F_p^T and of m_p, for features F [h, w, c] and a mask m [h, w].

    Without a mask every pixel counts 1. There is no gradient to the mask.
    """
    flat = features.reshape(-1, features.shape[-1])
    if mask is None:
        return types.Moments(_outer(flat), jnp.full((), len(flat), flat.dtype))
    root = jnp.sqrt(lax.stop_gradient(mask)).reshape(-1, 1)
    return types.Moments(_outer(flat * root), mask.sum())


def mask(rows_and_columns: tuple[Float[Array, " h"], Float[Array, " w"]] | None) -> types.Mask | None:
    """Return the mask [h, w] of the pixels whose row and column both count; None where all pixels do."""
    if rows_and_columns is None:
        return None
    rows, columns = rows_and_columns
    return rows[:, None] * columns[None]


@jax.custom_vjp
def _outer(x: Float[Array, "p c"]) -> Float[Array, "c c"]:
    """X^T X."""
    return jnp.matmul(x.T, x, precision=lax.Precision.HIGHEST)


def _forward(x: Float[Array, "p c"]) -> tuple[Float[Array, "c c"], Float[Array, "p c"]]:
    return _outer(x), x


def _backward(x: Float[Array, "p c"], cotangent: Float[Array, "c c"]) -> tuple[Float[Array, "p c"]]:
    # The derived gradient has a product for each of the two factors.
    return (jnp.matmul(x, cotangent + cotangent.T, precision=lax.Precision.HIGHEST),)


_outer.defvjp(_forward, _backward)


def transformed(moments: types.Moments, matrix: Float[Array, "c d"]) -> types.Moments:
    """Return the second moments of the features F M, from those of the features F and a matrix M."""
    outer = jnp.matmul(matrix.T, moments.outer, precision=lax.Precision.HIGHEST)
    return types.Moments(jnp.matmul(outer, matrix, precision=lax.Precision.HIGHEST), moments.count)
