"""Where tiles lie: overlapping crops of an image, each of which owns some outputs of every layer of a network.

The untouched network runs on crops of one size whose starts are multiples of the largest stride, so that the outputs of
a crop are outputs of the whole image but for those near a cut edge. Every output is owned by exactly one crop in which
it is right. Sums over the outputs that each crop owns, added over the crops, are the sums over the whole image. At the
image's own edges a crop has the network's own padding there.

A crop is two segments of the image along each axis. They are neighbors everywhere but in one crop of an image with
circular padding: this one holds the two ends of the image, whose last pixel then is beside the first one, as circular
padding wants it, and has its cut in the middle.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from texjax import types

Place = tuple[Any, Any]  # the numbers of a crop along the rows and the columns of an image


class Need(NamedTuple):
    """What the terms at one layer need of a crop. halo and stride: see `types.Additive`; the largest of the terms."""

    grid: types.Grid
    halo: int
    stride: int


class Axis(NamedTuple):
    """The crops along one axis of an image.

    side: pixels of each crop. split: pixels of its first segment.
    starts: [k, 2], first pixels of the two segments of each crop. These and the bounds of what is owned, but for the
        end of the image, are multiples of the largest stride.
    owned: [k, 2, 2], first and last pixel (not included) that each segment owns. An output belongs to the pixel that
        its stride begins with.
    """

    side: int
    split: int
    starts: Int[np.ndarray, "k 2"]
    owned: Int[np.ndarray, "k 2 2"]


def smallest(needs: Sequence[Need], circular: bool) -> int:
    """Return the smallest `largest` that suits `axis`."""
    unit, before, after = _margins(needs)
    return _least(unit, before + after, circular) + unit - 1


def _least(unit: int, overlap: int, circular: bool) -> int:
    """The smallest side of a crop, in pixels, each of whose segments owns something."""
    return (2 if circular else 1) * (overlap + unit)


def axis(length: int, largest: int, needs: Sequence[Need], circular: bool) -> Axis:
    """Return the crops, of at most `largest` pixels, of an axis of `length` pixels; one whole crop where that suffices.

    circular: whether the network continues the image periodically.
    """
    unit, before, after = _margins(needs)
    if length <= largest:
        whole = np.array([[[0, length], [length, length]]])
        return Axis(length, length, np.array([[0, length]]), whole)
    overlap = before + after

    def count(side: int) -> int:
        """The number of crops of a side; on a circle the outer ends have an overlap too."""
        covered = length - side + (overlap if circular else 0)
        return 1 + math.ceil(covered / (side // unit * unit - overlap))

    # Like the image, a crop that reaches its end may have a part of a stride there.
    greatest, least = largest - (largest - length) % unit, _least(unit, overlap, circular)
    # The smallest crops of which as few are needed have the least overlap.
    side = min(side for side in range(greatest, least - 1, -unit) if count(side) == count(greatest))
    if circular:
        return _circular(length, side, unit, before, after, count(side))
    starts = np.round(np.linspace(0, (length - side) // unit, count(side))).astype(int) * unit
    bounds = np.array([0, *(starts[1:] + before), length])
    owned = np.stack([np.stack([bounds[:-1], bounds[1:]], 1), np.stack([bounds[1:], bounds[1:]], 1)], 1)
    return Axis(side, side, np.stack([starts, starts + side], 1), owned)


def _circular(length: int, side: int, unit: int, before: int, after: int, count: int) -> Axis:
    """The crops of an axis that is a circle; the first of them holds both ends."""
    split = side // 2 // unit * unit
    second = length - (side - split)
    first_bound, last_bound = split - after, second + before
    # The first and the last start from which a crop covers what is left.
    low, high = first_bound - before, max(0, last_bound + after - side // unit * unit)
    inner = np.round(np.linspace(min(low, high) // unit, high // unit, count - 1)).astype(int) * unit
    bounds = np.array([first_bound, *(inner[1:] + before), last_bound])
    starts = np.concatenate([[[0, second]], np.stack([inner, inner + split], 1)])
    between = inner + split  # the segments of the inner crops
    firsts = np.stack([bounds[:-1], np.minimum(bounds[1:], between)], 1)
    seconds = np.stack([np.maximum(bounds[:-1], between), bounds[1:]], 1)
    ends = np.array([[[0, first_bound], [last_bound, length]]])
    return Axis(side, split, starts, np.concatenate([ends, np.stack([firsts, seconds], 1)]))


def _margins(needs: Sequence[Need]) -> tuple[int, int, int]:
    """The largest stride, and pixels at the cut edges at the beginning and the end of a crop that it does not own.

    Outputs there are spoiled by the network's padding, or lack a neighbor that a loss looks at. All are multiples of
    the stride.
    """
    unit = int(np.lcm.reduce([need.grid.stride * need.stride for need in needs]))
    before, after = [0], [0]
    for (stride, receptive, spoiled, _), halo, _ in needs:
        before.append((halo + spoiled) * stride)
        # Without padding nothing is spoiled, and outputs are missing. Else an odd last row has a window of a pooling to
        # itself, which spoils one output more.
        after.append(halo * stride + ((spoiled + 1) * stride if spoiled else receptive - stride))
    return unit, math.ceil(max(before) / unit) * unit, math.ceil(max(after) / unit) * unit


def crop(image: Float[Array, "n h w c"], rows: Axis, columns: Axis, place: Place) -> Float[Array, "n h2 w2 c"]:
    """Return the crop [n, rows.side, columns.side, c] of a stack."""
    stack, channels = image.shape[0], image.shape[3]

    def block(y: _Segment, x: _Segment) -> Array:
        return lax.dynamic_slice(image, (0, y.start, x.start, 0), (stack, y.length, x.length, channels))

    bands = [[block(y, x) for x in _segments(columns, place[1])] for y in _segments(rows, place[0])]
    return jnp.concatenate([jnp.concatenate(band, 2) for band in bands], 1)


def add_crop(
    image: Float[Array, "n h w c"], part: Float[Array, "n h2 w2 c"], rows: Axis, columns: Axis, place: Place
) -> Float[Array, "n h w c"]:
    """Return the stack with a crop of such a stack added at its place."""
    for y in _segments(rows, place[0]):
        for x in _segments(columns, place[1]):
            start = (0, y.start, x.start, 0)
            block = part[:, y.local : y.local + y.length, x.local : x.local + x.length]
            image = lax.dynamic_update_slice(image, lax.dynamic_slice(image, start, block.shape) + block, start)
    return image


def outputs(axis: Axis, grid: types.Grid, number: Any) -> Int[Array, " m"]:
    """Return the numbers of a crop's outputs of a layer, along an axis, among those of the image."""
    local, first = jnp.arange(grid.size(axis.side)), _in_first(axis, grid)
    starts = jnp.asarray(axis.starts)[number] // grid.stride
    return jnp.where(local < first, starts[0] + local, starts[1] + local - first)


def owned(axis: Axis, grid: types.Grid, number: Any) -> Bool[Array, " m"]:
    """Return for each of a crop's outputs of a layer, along an axis, whether the crop owns it."""
    first_pixels = outputs(axis, grid, number) * grid.stride
    in_second = (jnp.arange(len(first_pixels)) >= _in_first(axis, grid)).astype(int)
    low, high = jnp.asarray(axis.owned)[number][in_second].T
    return (first_pixels >= low) & (first_pixels < high)


def _in_first(axis: Axis, grid: types.Grid) -> int:
    """The number of a crop's outputs that belong to its first segment."""
    return axis.split // grid.stride if axis.split < axis.side else grid.size(axis.side)


class _Segment(NamedTuple):
    """A segment of a crop: its first pixel in the image and in the crop, and its length."""

    start: Array
    local: int
    length: int


def _segments(axis: Axis, number: Any) -> list[_Segment]:
    starts = jnp.asarray(axis.starts)[number]
    both = [_Segment(starts[0], 0, axis.split), _Segment(starts[1], axis.split, axis.side - axis.split)]
    return [segment for segment in both if segment.length]
