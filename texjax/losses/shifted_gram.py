"""Gram matrices of features and their shifted copies, which see how far apart things lie (Berger & Memisevic 2016).

Gram matrices say which features occur together at one pixel, and these which occur together at a distance
(Incorporating Long-Range Consistency in CNN-based Texture Generation, arXiv 1606.01286).
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types, validate
from texjax.losses import places

Matrices = Float[Array, "shifts 2 c c"]  # for each shift, along x and along y
AXES = (1, 0)  # of x and y in features [h, w, c]


def shifted_gram(*, shifts: Sequence[Any] = (1, 2, 4)) -> types.Loss:
    """Distance of shifted Gram matrices: mean over shifts d of 1/2 sum_ij (s dGx_ij(d))^2 + (s dGy_ij(d))^2.

    Gx(d) is the mean over the pixels of F(x, y) F(x + d, y)^T, a matrix that is not symmetric, Gy(d) the same along y,
    and dG the difference from the sources. The factor s is 1 / c for c channels, as for the normalization
    "pixels_channels" of `gram`; the paper's differs by a constant. At coarser octaves the same shifts reach twice as
    far each.

    The output repeats, so its pairs of pixels wrap around. A source ends at its edges, so that the mean is over the
    pairs that exist. In the output a pair counts as much as its first pixel does, so that each pair belongs to one
    tile; in a source as much as the product of both masks. Several sources are averaged.

    The sums of a place are {"outer": [shifts, 2, c, c] sums of F(x) F(x + d)^T, "count": [] number of pixels}. They add
    over tiles where the network is circular too.

    Args:
        shifts: the distances d in pixels of the layer.

    Raises:
        TexjaxError: for no shifts, and shifts below 1.
    """
    if not shifts:
        raise errors.TexjaxError("shifts of the shifted Gram loss is empty; give distances in pixels, such as (1, 2).")
    for i, shift in enumerate(shifts):
        validate.whole(f"shifts[{i}]", shift, 1)

    def measure(features: types.Feature, mask: types.Mask | None, target: object) -> dict[str, Array]:
        weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
        first = features * weights[:, :, None]
        outer = [[_outer(first, jnp.roll(features, -shift, axis)) for axis in AXES] for shift in shifts]
        return {"outer": jnp.array(outer), "count": weights.sum()}

    def summarize(features: types.Feature, mask: types.Mask | None) -> Matrices:
        return jnp.array([[_of_source(features, mask, shift, axis) for axis in AXES] for shift in shifts])

    def distance(sums: dict[str, Array], target: Matrices) -> types.Scalar:
        channels = target.shape[-1]
        return jnp.sum(((sums["outer"] / sums["count"] - target) / channels) ** 2) / (2 * len(shifts))

    return places.per_image(
        measure,
        distance,
        summarize=summarize,
        join=lambda matrices: jnp.stack(matrices).mean(0),
        halo=max(shifts),
        circular=True,
        least=max(shifts) + 1,
    )


def _of_source(features: types.Feature, mask: types.Mask | None, shift: int, axis: int) -> Float[Array, "c c"]:
    """The mean of F(x) F(x + d)^T over the pairs of pixels that exist."""
    side = features.shape[axis]
    weights = jnp.ones(features.shape[:2], features.dtype) if mask is None else mask
    (first, second), pair = (
        [lax.slice_in_dim(x, begin, side - shift + begin, axis=axis) for begin in (0, shift)]
        for x in (features, weights)
    )
    product = pair[0] * pair[1]
    return _outer(first * product[:, :, None], second) / product.sum()


def _outer(a: Float[Array, "h w c"], b: Float[Array, "h w c"]) -> Float[Array, "c c"]:
    """A^T B, summed over the pixels."""
    return jnp.einsum("hwi,hwj->ij", a, b, precision=lax.Precision.HIGHEST)
