"""Sliced Wasserstein distance of features, which sees their whole distribution and not only its second moments.

Two distributions are equal where all their projections on lines are (Heitz, Vanhoey, Chambon & Belcour 2021, arXiv
2006.07229). On a line the optimal transport between two sets of numbers matches them in their sorted order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from texjax import errors, types, validate
from texjax.losses import places

Samples = Float[Array, "_ _"]  # [p, c], the features of a source's pixels, or of those of all sources
Projections = Float[Array, "n d _"]


class Slices(NamedTuple):
    """What the images of a stack are compared with at one place.

    directions: [n, d, c], d unit vectors for each image.
    quantiles: [n, d, p], the sources' features projected on them and sorted, resampled to as many as the image has
        pixels.
    """

    # The axes have no names, as places differ in their channels and pixels.
    directions: Float[Array, "_ _ _"]
    quantiles: Float[Array, "_ _ _"]


def sliced_wasserstein(*, directions: int = 32, redraw: int = 10) -> types.Loss:
    """Distance of sorted projections: the mean over directions u and ranks i of (sort(F u)_i - sort(T u)_i)^2.

    F are the features of the image's p pixels, and T those of the pixels of all sources, so that a source's share is
    its number of pixels. The mean, over directions and ranks alike, is that of the authors' program. Where the sources
    have another number of pixels, m, rank i is compared with sort(T u) at floor((i + 1/2) m / p). Where p is a multiple
    of m this is exactly the squared 2-Wasserstein distance, and elsewhere it is near it.

    The directions of an image are rows of a random orthogonal matrix, or of several where there are more directions
    than channels c. The authors draw c independent ones for every evaluation. A line search and the curvature pairs of
    L-BFGS need a function that stays the same, so here they hold for `redraw` steps. The target holds the features of
    the sources, and the choice holds directions and the sorted projections of the sources.

    Sorting does not add over tiles. For a picture that is computed in tiles, of 4096 px for instance, give the term
    `octave_weights` of 0 for the octaves that are larger than a tile, and let another loss, such as `gram`, see these.

    Args:
        directions: for each image, at each octave and layer. Time and the memory of the choice grow with it.
        redraw: optimizer steps between two draws, each of which sorts the sources once.

    Raises:
        TexjaxError: for numbers below 1, and for views with a mask.
    """
    validate.whole("directions of sliced_wasserstein", directions, 1)
    validate.whole("redraw of sliced_wasserstein", redraw, 1)

    def summarize(views: Sequence[types.View]) -> list[Samples]:
        return [_pixels(view)[0] for view in views]

    def refresh(
        views: Sequence[types.View], targets: Sequence[Samples], previous: object, key: types.PRNGKey
    ) -> list[Slices]:
        keys = jax.random.split(key, len(views))
        return [_draw(*place, directions) for place in zip(views, targets, keys, strict=True)]

    def value(views: Sequence[types.View], targets: Sequence[Samples], choice: Sequence[Slices]) -> types.Scalar:
        return places.sum_of(
            [view.weight * _distance(_pixels(view), slices) for view, slices in zip(views, choice, strict=True)]
        )

    join = places.join_each_place(jnp.concatenate)
    return types.Loss(summarize, join, value, refresh=refresh, period=redraw)


def _pixels(view: types.View) -> Float[Array, "n p c"]:
    """The features of a stack, pixel by pixel."""
    if view.mask is not None:
        raise errors.TexjaxError("sliced_wasserstein compares all pixels and got a mask; give views without masks.")
    count, height, width, channels = view.features.shape
    return view.features.reshape(count, height * width, channels)


def _draw(view: types.View, samples: Samples, key: types.PRNGKey, count: int) -> Slices:
    images, pixels, channels = _pixels(view).shape
    bases = jax.random.orthogonal(key, channels, (images, -(-count // channels)), samples.dtype)
    directions = bases.reshape(images, -1, channels)[:, :count]
    projected = _project(jnp.broadcast_to(samples, (images, *samples.shape)), directions)
    with jax.enable_x64(True):  # the products are too large for 32 bits
        ranks = ((2 * jnp.arange(pixels, dtype=jnp.int64) + 1) * len(samples) // (2 * pixels)).astype(jnp.int32)
    return Slices(directions, jnp.take_along_axis(projected, _order(projected)[:, :, ranks], axis=2))


def _distance(features: Float[Array, "n p c"], slices: Slices) -> types.Scalar:
    """The distance of a stack from the sources, summed over its images."""
    projected = _project(features, slices.directions)
    # Held fixed, the quantile that each pixel is matched with gives the value and its gradient from a single sort.
    order = _order(lax.stop_gradient(projected))
    matches = jnp.put_along_axis(slices.quantiles, order, slices.quantiles, axis=2, inplace=False)
    return ((projected - matches) ** 2).mean((1, 2)).sum()


def _project(features: Float[Array, "n _ c"], directions: Float[Array, "n d c"]) -> Projections:
    return jnp.einsum("npc,ndc->ndp", features, directions, precision=lax.Precision.HIGHEST)


def _order(values: Projections) -> Int[Array, "n d _"]:
    """The indices that sort each row, as `jnp.argsort` does.

    XLA on CPU is slow at comparing floats and at sorting pairs. Single integers, which hold a float's place in order in
    the upper half and the index in the lower, take a quarter of the time.
    """
    if values.dtype != jnp.float32:
        return jnp.argsort(values, axis=2)
    bits = lax.bitcast_convert_type(values, jnp.int32)
    keys = jnp.where(bits < 0, bits ^ 0x7FFFFFFF, bits)  # of negative floats the larger integer is the smaller float
    with jax.enable_x64(True):
        index = lax.broadcasted_iota(jnp.int64, values.shape, 2)
        ordered = lax.sort(keys.astype(jnp.int64) * 2**32 + index, dimension=2, is_stable=False)
        return (ordered & 0xFFFFFFFF).astype(jnp.int32)
