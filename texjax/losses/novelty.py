"""Frames unlike each other: no source, only different statistics."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from texjax import types


def novelty(*, mul: float = 1.0) -> types.Loss:
    """sum_ij (K_ij - mul I_ij)^2, with K_ij the inner product of the Gram matrices of frames i and j (Snelgrove 2017).

    The Gram matrices are F^T F / pixels / channels, so K [n, n] = G G^T with a frame's c^2 entries as a row of G. With
    K = mul I they are of length sqrt(mul) and orthogonal, as far as can be: at one octave and layer.

    What is left of subjective-functions' `novelty.py` is its `--internal`: K over frames, octaves and layers at once,
    which a loss that sees one place at a time cannot form.

    measure: [n, h, w, c] -> {"outer": [n, c, c] sums of outer products, "count": [] number of pixels}.
    target: nothing; sources are not looked at.
    """

    def measure(features: types.Feature, target: object, mask: types.Mask | None) -> dict[str, Array]:
        weights = jnp.ones(features.shape[1:3], features.dtype) if mask is None else mask
        flat = features.reshape(len(features), -1, features.shape[-1])
        weighted = flat * weights.reshape(1, -1, 1)
        outer = jnp.matmul(weighted.swapaxes(1, 2), flat, precision=lax.Precision.HIGHEST)
        return {"outer": outer, "count": weights.sum()}

    def distance(sums: dict[str, Array], target: object) -> types.Scalar:
        frames, channels, _ = sums["outer"].shape
        grams = (sums["outer"] / (sums["count"] * channels)).reshape(frames, -1)
        products = jnp.matmul(grams, grams.T, precision=lax.Precision.HIGHEST)
        return jnp.sum((products - mul * jnp.eye(frames)) ** 2)

    return types.Loss(lambda features, mask: (), lambda summaries: (), measure, distance, joint=True)
