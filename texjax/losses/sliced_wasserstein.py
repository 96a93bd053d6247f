"""Sliced Wasserstein distance of features, which sees their whole distribution and not only its second moments.

Two distributions are equal where all their projections on lines are (Heitz, Vanhoey, Chambon & Belcour 2021, arXiv
2006.07229). On a line the optimal transport between two sets of numbers matches them in their sorted order.
"""

import functools
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


class Target(NamedTuple):
    """The pixels of the sources at one place and, where places are tagged, tags [p] of these and [q] of the image's.

    samples: [p, c].
    """

    samples: Samples
    tags: Float[Array, "_"] | None = None
    wanted: Float[Array, "_"] | None = None


class Slices(NamedTuple):
    """What the images of a stack are compared with at one place.

    directions: [n, d, c], d unit vectors for each image.
    quantiles: [n, d, p], the sources' features projected on them and sorted, resampled to as many as the image has
        pixels.
    wanted: [p], the tags of the image's pixels, or None.
    """

    # The axes have no names, as places differ in their channels and pixels.
    directions: Float[Array, "_ _ _"]
    quantiles: Float[Array, "_ _ _"]
    wanted: Float[Array, "_"] | None


def sliced_wasserstein(*, directions: int = 32, redraw: int = 10, tags: float = 0.0) -> types.Loss:
    """Distance of sorted projections: the mean over directions u and ranks i of (sort(F u)_i - sort(T u)_i)^2.

    F are the features of the image's p pixels, and T those of the pixels of all sources, so that a source's share is
    its number of pixels. The mean, over directions and ranks alike, is that of the authors' program. Where the sources
    have another number of pixels, m, rank i is compared with sort(T u) at floor((i + 1/2) m / p). Where p is a multiple
    of m this is exactly the squared 2-Wasserstein distance, and elsewhere it is near it.

    The directions of an image are rows of a random orthogonal matrix, or of several where there are more directions
    than channels c. The authors draw c independent ones for every evaluation. A line search and the curvature pairs of
    L-BFGS need a function that stays the same, so here they hold for `redraw` steps. The target holds the features of
    the sources, and the choice holds directions and the sorted projections of the sources.

    Tags say which part of the source belongs where. With them the term is of group "analogy": A' is the source, A a map
    of it, such as labels that somebody painted, and B such a map of the output. The mean of a map's channels, as a
    share of its range over A, times `tags` is added to all projections of a pixel. Where that sets labels farther apart
    than features are, each label is sorted by itself. All labels should take as much of B as of A, or else they mix.

    Sorting does not add over tiles. For a picture that is computed in tiles, of 4096 px for instance, give the term
    `octave_weights` of 0 for the octaves that are larger than a tile, and let another loss, such as `gram`, see these.

    Args:
        directions: for each image, at each octave and layer. Time and the memory of the choice grow with it.
        redraw: optimizer steps between two draws, each of which sorts the sources once.
        tags: distance of the labels farthest apart, in units of the features; 0 without tags, 20 in other programs.

    Raises:
        TexjaxError: for numbers out of range, and for views with a mask. With tags the join raises where there are not
            three pictures, and where A and A' differ in size.
    """
    validate.whole("directions of sliced_wasserstein", directions, 1)
    validate.whole("redraw of sliced_wasserstein", redraw, 1)

    validate.real("tags of sliced_wasserstein", tags, 0)

    def summarize(views: Sequence[types.View]) -> list[Samples]:
        return [_pixels(view)[0] for view in views]

    def refresh(
        views: Sequence[types.View], targets: Sequence[Target], previous: object, key: types.PRNGKey
    ) -> list[Slices]:
        keys = jax.random.split(key, len(views))
        return [_draw(*place, directions) for place in zip(views, targets, keys, strict=True)]

    def value(views: Sequence[types.View], targets: Sequence[Target], choice: Sequence[Slices]) -> types.Scalar:
        return places.sum_of(
            [view.weight * _distance(_pixels(view), slices) for view, slices in zip(views, choice, strict=True)]
        )

    join = places.join_each_place(functools.partial(_tagged, tags) if tags else lambda s: Target(jnp.concatenate(s)))
    return types.Loss(summarize, join, value, refresh=refresh, period=redraw)


def _tagged(tags: float, pictures: list[Samples]) -> Target:
    """The target of A, A' and B."""
    if len(pictures) != 3:
        raise errors.TexjaxError(
            f"tags compare A, A' and B, and there are {len(pictures)} pictures; give the term group 'analogy'."
        )
    a, source, b = pictures
    if a.shape != source.shape:
        raise errors.TexjaxError(
            f"A has {len(a)} pixels at this layer and A' {len(source)}; give pictures of one size."
        )
    levels = a.mean(1)
    low, high = levels.min(), levels.max()
    scale = tags / jnp.where(high > low, high - low, 1)
    return Target(source, scale * (levels - low), scale * (b.mean(1) - low))


def _pixels(view: types.View) -> Float[Array, "n p c"]:
    """The features of a stack, pixel by pixel."""
    if view.mask is not None:
        raise errors.TexjaxError("sliced_wasserstein compares all pixels and got a mask; give views without masks.")
    count, height, width, channels = view.features.shape
    return view.features.reshape(count, height * width, channels)


def _draw(view: types.View, target: Target, key: types.PRNGKey, count: int) -> Slices:
    samples, (images, pixels, channels) = target.samples, _pixels(view).shape
    bases = jax.random.orthogonal(key, channels, (images, -(-count // channels)), samples.dtype)
    directions = bases.reshape(images, -1, channels)[:, :count]
    projected = _with_tags(_project(jnp.broadcast_to(samples, (images, *samples.shape)), directions), target.tags)
    with jax.enable_x64(True):  # the products are too large for 32 bits
        ranks = ((2 * jnp.arange(pixels, dtype=jnp.int64) + 1) * len(samples) // (2 * pixels)).astype(jnp.int32)
    quantiles = jnp.take_along_axis(projected, _order(projected)[:, :, ranks], axis=2)
    return Slices(directions, quantiles, target.wanted)


def _distance(features: Float[Array, "n p c"], slices: Slices) -> types.Scalar:
    """The distance of a stack from the sources, summed over its images."""
    projected = _with_tags(_project(features, slices.directions), slices.wanted)
    # Held fixed, the quantile that each pixel is matched with gives the value and its gradient from a single sort.
    order = _order(lax.stop_gradient(projected))
    matches = jnp.put_along_axis(slices.quantiles, order, slices.quantiles, axis=2, inplace=False)
    return ((projected - matches) ** 2).mean((1, 2)).sum()


def _project(features: Float[Array, "n _ c"], directions: Float[Array, "n d c"]) -> Projections:
    return jnp.einsum("npc,ndc->ndp", features, directions, precision=lax.Precision.HIGHEST)


def _with_tags(projected: Projections, tags: Float[Array, "_"] | None) -> Projections:
    return projected if tags is None else projected + tags[None, None]


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
