"""Autocorrelation of features, which sees how a texture repeats: lattices, rows, and what lies far apart.

Gram matrices say which features occur together at one pixel. The autocorrelation of a channel says what lies at every
distance (Sendik & Cohen-Or 2017, doi 10.1145/3015461, section 4.1; Gonthier et al. 2022).
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types
from texjax.losses import places

Mean = Float[Array, "1 1 c"]
Lags = Float[Array, "_ _ c"]  # odd sides, with the lag (0, 0) in the middle


def autocorrelation() -> types.Loss:
    """Distance of the channels' autocovariances, relative to those of the sources.

    The value is sum_cij ((R_cij - T_cij) / T_c00)^2 / sum_cij (T_cij / T_c00)^2, over the channels c and the lags
    (i, j) of the output and of the sources. So it is 1 for an output without any structure, and one weight serves
    textures whose repetition is strict and those whose repetition is loose.

    R_ij is the mean over the pixels of (F(x) - m) (F(x + (i, j)) - m), where m is the mean of the channel in the
    sources. The output repeats, so its lags wrap around. A source ends at its edges, so that each lag is the mean over
    the pixels that both exist (the unbiased estimate), for lags of at most half its sides. Lags that the source, or the
    output, does not have are left out, so that both may have different sizes.

    The values do not add over tiles. For a picture that is computed in tiles, give the term `octave_weights` of 0 for
    the octaves that are larger than a tile: coarse octaves see the largest distances.
    """

    def summarize(views: Sequence[types.View]) -> list[tuple[Mean, Lags]]:
        summaries = []
        for view in views:
            features = view.features[0]
            mean = features.mean((0, 1), keepdims=True)
            summaries.append((mean, _unbiased(features - mean)))
        return summaries

    def join(summaries: list[tuple[Mean, Lags]]) -> tuple[Mean, Lags]:
        height, width = (min(lags.shape[axis] for _, lags in summaries) for axis in (0, 1))
        lags = [_middle(lags, height, width) for _, lags in summaries]
        return jnp.stack([mean for mean, _ in summaries]).mean(0), jnp.stack(lags).mean(0)

    def value(views: Sequence[types.View], targets: Sequence[tuple[Mean, Lags]]) -> types.Scalar:
        return places.sum_of(
            [view.weight * _distance(view.features, *target) for view, target in zip(views, targets, strict=True)]
        )

    return types.Loss(summarize, places.join_each_place(join), value, least=2)


def _distance(features: Float[Array, "n h w c"], mean: Mean, target: Lags) -> types.Scalar:
    """The distance of a stack from a target, summed over its images."""
    height, width = features.shape[1:3]
    spectrum = jnp.fft.rfft2(features - mean[None], axes=(1, 2))
    lags = jnp.fft.irfft2(_power(spectrum), (height, width), axes=(1, 2)) / (height * width)
    height, width = (
        min(2 * ((side - 1) // 2) + 1, own) for side, own in zip((height, width), target.shape, strict=False)
    )
    lags = jnp.roll(lags, (height // 2, width // 2), (1, 2))[:, :height, :width]
    target = _middle(target, height, width)
    variance = target[height // 2, width // 2][None, None]
    # A channel that is constant in the source has no scale of its own.
    scale = jnp.maximum(variance, 1e-6 * variance.max())
    scale = jnp.where(scale > 0, scale, 1)
    errors, energy = ((lags - target[None]) / scale[None]) ** 2, (target / scale) ** 2
    return errors.sum() / jnp.maximum(energy.sum(), 1)


def _unbiased(features: Float[Array, "h w c"]) -> Lags:
    """The mean product of pixels at each lag of at most half the sides, over the pairs of pixels that exist."""
    height, width = features.shape[:2]
    padded = (2 * height, 2 * width)
    sums = jnp.fft.irfft2(_power(jnp.fft.rfft2(features, padded, axes=(0, 1))), padded, axes=(0, 1))
    down, right = height // 2, width // 2
    sums = jnp.roll(sums, (down, right), (0, 1))[: 2 * down + 1, : 2 * right + 1]
    rows, columns = (side - jnp.abs(jnp.arange(-reach, reach + 1)) for side, reach in ((height, down), (width, right)))
    return sums / (rows[:, None] * columns[None])[..., None]


def _power(spectrum: Array) -> Array:
    return spectrum.real**2 + spectrum.imag**2


def _middle(lags: Lags, height: int, width: int) -> Lags:
    """The lags around (0, 0), so many on each axis."""
    top, left = (lags.shape[0] - height) // 2, (lags.shape[1] - width) // 2
    return lags[top : top + height, left : left + width]
