"""The spectrum of the source: the distance of a picture from those that have it (Liu, Gousseau & Xia 2016).

The power of every frequency, and the phases between the color channels, say how a texture repeats over any distance.
The phase that all channels share is left to the other terms (Texture Synthesis Through Convolutional Neural Networks
and Spectrum Constraints, arXiv 1605.01141; Gonthier et al. 2022, arXiv 2008.01808).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float, Int

from texjax import errors, types
from texjax.images import light
from texjax.losses import places

Source = Float[Array, "_ _ c"]  # whose size may be another than that of the image


def spectrum() -> types.Loss:
    """Distance from the nearest picture P that has the source's spectrum: mean over pixels and channels of (x - P)^2.

    With the transforms X_c of the channels of x, less the source's mean, and A_c of the source, P is the inverse
    transform of phi A, where phi = S / |S| and S = sum_c X_c conj(A_c). P is the source's mean color where A_c is 0.
    The gradient, 2 (x - P) / (pixels channels), is exact, as P is the nearest point of a set. The loss is meant for the
    layer "pixels"; 1/2 sum (x - P)^2 of Liu et al. is so many times it as half the number of pixels and channels.

    What differs from the paper: the source may have another size, and its periodic part is taken, as a jump between
    opposite edges is no part of the texture (Moisan 2011, doi 10.1007/s10851-010-0227-1). Where an axis of the source
    is longer than the output's, its middle is used, as long as the output. Where it is shorter, each frequency k of the
    source stands for the frequencies of the output that are nearest to it: together they have the power of k per
    pixel, however it is spread among them, and each has the phases between channels that k has. So P is the inverse
    transform of r phi A, with phi = S / sqrt(sum |S|^2) over the frequencies that k stands for, and r the pixels of the
    output over those of the source. A regular texture that goes on regularly then is at no distance. An odd shorter
    axis loses a pixel, as the highest frequency of the output has to be one of the source.

    The values do not add over tiles. For a picture that is computed in tiles, such as one of 4096 px, give the term
    `octave_weights` of 0 for the octaves that are larger than a tile: coarse octaves have the longest waves.

    Raises:
        TexjaxError: the join raises for several sources.
    """

    def only(sources: list[Source]) -> Source:
        if len(sources) > 1:
            raise errors.TexjaxError(
                f"there are {len(sources)} sources, and the phases between color channels are those of one; give one "
                f"source to the spectrum loss, without rotations or scales."
            )
        return sources[0]

    def value(views: Sequence[types.View], sources: Sequence[Source]) -> types.Scalar:
        shares = [jax.vmap(_distance, (0, None))(view.features, at) for view, at in zip(views, sources, strict=True)]
        return places.weighted_sum(shares, views, sources)

    summarize = places.at_each_place(lambda features, mask: features)
    return types.Loss(summarize, places.join_each_place(only), value, least=2)


def _distance(image: Float[Array, "h w c"], source: Source) -> types.Scalar:
    return jnp.mean((image - _projection(lax.stop_gradient(image), source)) ** 2)


def _projection(image: Float[Array, "h w c"], source: Source) -> Float[Array, "h w c"]:
    """The nearest picture to the image that has the spectrum of the source."""
    mean = source.mean((0, 1), keepdims=True)
    size = image.shape[:2]
    window = jnp.asarray(light.periodic(_middle(source, size)))
    wanted = _transform(window - window.mean((0, 1), keepdims=True))
    rows, columns = (_nearest(*counts) for counts in zip(size, window.shape, strict=False))
    wanted = wanted[rows][:, columns]
    shared = (_transform(image - mean) * wanted.conj()).sum(2)
    lengths = _lengths(shared, rows, columns, window.shape[:2])
    growth = size[0] * size[1] / (window.shape[0] * window.shape[1])
    # Where the image has nothing of a frequency, any phase would be as near; it stays at nothing.
    phases = shared / jnp.where(lengths > 0, lengths, 1)
    return mean + jnp.fft.ifft2(growth * phases[:, :, None] * wanted, axes=(0, 1)).real


def _middle(source: Source, size: Sequence[int]) -> Source:
    """The middle of a source, at most as large as `size`; a shorter axis is of even length."""
    height, width = (wanted if own >= wanted else own // 2 * 2 for own, wanted in zip(source.shape, size, strict=False))
    top, left = (source.shape[0] - height) // 2, (source.shape[1] - width) // 2
    return source[top : top + height, left : left + width]


def _transform(image: Float[Array, "h w c"]) -> Complex[Array, "h w c"]:
    return jnp.fft.fft2(image, axes=(0, 1))


def _nearest(count: int, own: int) -> Int[Array, " count"]:
    """For each of `count` frequencies of the output, along an axis, the number of the nearest of the source's `own`."""
    waves = (jnp.arange(count) + count // 2) % count - count // 2  # in the length of the output
    # In whole numbers, so that a frequency and its negative are treated alike at ties.
    return jnp.sign(waves) * ((2 * jnp.abs(waves) * own + count) // (2 * count)) % own


def _lengths(
    shared: Complex[Array, "h w"], rows: Int[Array, " h"], columns: Int[Array, " w"], size: Sequence[int]
) -> Float[Array, "h w"]:
    """sqrt(sum |S|^2) over the output's frequencies that share one of the source's, at each frequency of the output."""
    # Sums by products with matrices of 0 and 1 are the same in every run, which scattered sums are not on GPU.
    down, right = (
        (jnp.arange(own)[:, None] == nearest[None]).astype(shared.real.dtype)
        for own, nearest in zip(size, (rows, columns), strict=True)
    )
    power = shared.real**2 + shared.imag**2
    sums = jnp.linalg.multi_dot([down, power, right.T], precision=lax.Precision.HIGHEST)
    return jnp.sqrt(sums)[rows][:, columns]
