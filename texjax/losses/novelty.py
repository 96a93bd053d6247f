"""Frames unlike each other: a loss without a source that only asks for different statistics."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import types, validate
from texjax.losses import places

Rows = Float[Array, "_ _"]  # one flattened Gram matrix in each row; layers differ in their number of entries


def novelty(*, mul: int | float = 1.0, internal: bool = False, octave_step: int = 1) -> types.Loss:
    """sum_ij (K_ij - mul I_ij)^2, with K_ij the inner product of the Gram matrices i and j (Snelgrove 2017).

    The Gram matrices are F^T F / pixels / channels, so K = G G^T where a row of G holds the c^2 entries of one matrix.
    With K = mul I the matrices have the length sqrt(mul) and are orthogonal, as far as this is possible. The indices i
    and j count the frames, at one octave and layer. With `internal` they count all frames at all octaves and layers:
    then an octave is unlike the others of its own frame too, and one frame is enough.

    What differs from subjective-functions' `--internal`: layers may have different numbers of channels (their inner
    products count as 0), and the weights of octaves and layers scale the Gram matrices.

    The sums of a place are {"outer": [n, c, c] sums of outer products, "count": [] number of pixels}. The loss compares
    with no source.

    Args:
        mul: squared length that the Gram matrices shall have.
        internal: compare octaves and layers with each other too.
        octave_step: compare every so many octaves, from the finest; the others do not count.

    Raises:
        TexjaxError: for a `mul` that is no finite number and an `octave_step` below 1.
    """
    validate.real("mul", mul)
    validate.whole("octave_step", octave_step, 1)

    def measure(view: types.View, target: object) -> dict[str, Array]:
        features = view.features
        weights = jnp.ones(features.shape[1:3], features.dtype) if view.mask is None else view.mask
        flat = features.reshape(len(features), -1, features.shape[-1])
        weighted = flat * weights.reshape(1, -1, 1)
        outer = jnp.matmul(weighted.swapaxes(1, 2), flat, precision=lax.Precision.HIGHEST)
        return {"outer": outer, "count": weights.sum()}

    def distance(sums: Sequence[dict[str, Array]], views: Sequence[types.View], targets: object) -> types.Scalar:
        rows = [_rows(s) for s in sums]
        compared = [(r, view.weight) for r, view in zip(rows, views, strict=True) if view.octave % octave_step == 0]
        if not compared:
            return jnp.zeros(())
        if not internal:
            return places.sum_of([weight * _unlikeness(r, mul) for r, weight in compared])
        weighted = [weight * r for r, weight in compared]
        lengths = dict.fromkeys(r.shape[1] for r in weighted)
        groups = [jnp.concatenate([r for r in weighted if r.shape[1] == length]) for length in lengths]
        return places.sum_of([_unlikeness(group, mul) for group in groups])

    return places.from_sums(measure, distance, summarize=places.no_summary, join=places.no_target)


def _rows(sums: dict[str, Array]) -> Rows:
    """The Gram matrices of the frames, one in each row."""
    frames, channels, _ = sums["outer"].shape
    return (sums["outer"] / (sums["count"] * channels)).reshape(frames, -1)


def _unlikeness(rows: Rows, mul: float) -> types.Scalar:
    """sum_ij (K_ij - mul I_ij)^2 of the rows' inner products K."""
    products = jnp.matmul(rows, rows.T, precision=lax.Precision.HIGHEST)
    return jnp.sum((products - mul * jnp.eye(len(rows))) ** 2)
