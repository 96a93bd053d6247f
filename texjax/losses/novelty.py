"""Frames unlike each other: no source, only different statistics."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import types


def novelty(*, mul: float = 1.0, internal: bool = False) -> types.Loss:
    """sum_ij (K_ij - mul I_ij)^2, with K_ij the inner product of Gram matrices i and j (Snelgrove 2017).

    The Gram matrices are F^T F / pixels / channels, so K = G G^T with c^2 entries of one as a row of G. With K = mul I
    they are of length sqrt(mul) and orthogonal, as far as can be. i and j are frames, at one octave and layer; with
    `internal` they are all frames at all octaves and layers: then an octave is unlike the others of its own frame too,
    and one frame is enough.

    What differs from subjective-functions' `--internal`: layers may have different numbers of channels (their products
    count as 0), and weights of octaves and layers scale the Gram matrices.

    measure: [n, h, w, c] -> {"outer": [n, c, c] sums of outer products, "count": [] number of pixels}.
    target: nothing; sources are not looked at.
    """

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> dict[str, Array]:
        weights = jnp.ones(features.shape[1:3], features.dtype) if mask is None else mask
        flat = features.reshape(len(features), -1, features.shape[-1])
        weighted = flat * weights.reshape(1, -1, 1)
        outer = jnp.matmul(weighted.swapaxes(1, 2), flat, precision=lax.Precision.HIGHEST)
        return {"outer": outer, "count": weights.sum()}

    def grams(sums: dict[str, Array], target: object) -> Float[Array, "n entries"]:
        frames, channels, _ = sums["outer"].shape
        return (sums["outer"] / (sums["count"] * channels)).reshape(frames, -1)

    def distance(rows: Float[Array, "n entries"]) -> types.Scalar:
        products = jnp.matmul(rows, rows.T, precision=lax.Precision.HIGHEST)
        return jnp.sum((products - mul * jnp.eye(len(rows))) ** 2)

    def pool(parts: list[Float[Array, "n _"]]) -> types.Scalar:
        alike = {rows.shape: [others for others in parts if others.shape == rows.shape] for rows in parts}
        return jnp.stack([distance(jnp.concatenate(group)) for group in alike.values()]).sum()

    made = types.Loss(lambda features, mask: (), lambda summaries: (), measure, grams, joint=True, pool=pool)
    if internal:
        return made
    return made._replace(distance=lambda sums, target: distance(grams(sums, target)), pool=sum)
