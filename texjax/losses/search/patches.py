"""Square patches of feature maps: where they lie, their numbers as rows, and maps put together from them.

Patches of several maps are counted through: those of the first map by rows, then those of the second. They lie `stride`
pixels apart and wholly inside their map. None of them is copied before it is needed.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Map = Float[Array, "_ _ c"]  # of sizes that may differ from those of others
Mask = Float[Array, "_ _"]


class Patches(NamedTuple):
    """All patches of some maps.

    pixels: [p, c], those of all maps, each by rows.
    corners: [n], of each patch, the number of its top left pixel.
    widths: [n], pixels from one of its rows to the next.
    live: [n], whether it may be matched; None where all may.
    grids: [maps, 3], of each map, the number of its first patch, and its rows and columns of patches.
    """

    pixels: Float[Array, "p c"]
    corners: Int[Array, " n"]
    widths: Int[Array, " n"]
    live: Bool[Array, " n"] | None
    grids: Int[Array, "maps 3"]


class Overlap(NamedTuple):
    """A map put together from patches that overlap, with what is needed for a distance from every one of them.

    mean: [h, w, c], at each pixel the average over the patches there, 0 where there is none.
    count: [h, w], their number. spread: [h, w], the sum of their squared distances from the mean.
    """

    mean: Float[Array, "h w c"]
    count: Float[Array, "h w"]
    spread: Float[Array, "h w"]


def grid(shape: tuple[int, ...], patch: int, stride: int) -> tuple[int, int]:
    """Rows and columns of patches in a map [h, w, ...]."""
    return (shape[0] - patch) // stride + 1, (shape[1] - patch) // stride + 1


@functools.partial(jax.jit, static_argnames=("patch", "stride"))
def of(maps: Sequence[Map], patch: int, stride: int, masks: Sequence[Mask | None] | None = None) -> Patches:
    """The patches of maps [h, w, c], `patch` pixels wide and high; those wholly in their map's mask are live."""
    corners, widths, grids, pixels, patches_before = [], [], [], 0, 0
    for one in maps:
        h, w, _ = one.shape
        rows, columns = grid(one.shape, patch, stride)
        of_map = stride * (w * jnp.arange(rows)[:, None] + jnp.arange(columns)[None]) + pixels
        corners.append(of_map.reshape(-1))
        widths.append(jnp.full(rows * columns, w))
        grids += [patches_before, rows, columns]
        pixels, patches_before = pixels + h * w, patches_before + rows * columns
    found = Patches(
        jnp.concatenate([one.reshape(-1, one.shape[-1]) for one in maps]),
        jnp.concatenate(corners).astype(jnp.int32),
        jnp.concatenate(widths).astype(jnp.int32),
        None,
        # Not jnp.array, as what it is given would be a captured constant.
        jnp.stack([jnp.full((), number, jnp.int32) for number in grids]).reshape(-1, 3),
    )
    if masks is None or all(mask is None for mask in masks):
        return found
    inside = [jnp.ones((*m.shape[:2], 1)) if k is None else k[:, :, None] for m, k in zip(maps, masks, strict=True)]
    weights = found._replace(pixels=jnp.concatenate([one.reshape(-1, 1) for one in inside]))
    return found._replace(live=rows_of(weights, jnp.arange(len(found.corners)), patch).min(1) > 0)


def pixel(patches: Patches, numbers: Int[Array, "*m"], at: tuple[int, int]) -> Float[Array, "*m c"]:
    """Of the patches of these numbers, the pixel `at` (down, right) of the corner."""
    corners, widths = (x.at[numbers].get(mode="clip") for x in (patches.corners, patches.widths))
    return patches.pixels.at[corners + at[0] * widths + at[1]].get(mode="clip")


def rows_of(patches: Patches, numbers: Int[Array, " m"], patch: int) -> Float[Array, "m k"]:
    """The patches of these numbers as rows of patch x patch x c numbers."""
    return jnp.concatenate([pixel(patches, numbers, at) for at in offsets(patch)], axis=1)


def offsets(patch: int) -> list[tuple[int, int]]:
    """The places (down, right) of a patch's pixels, by rows."""
    return [(down, right) for down in range(patch) for right in range(patch)]


def unit(rows: Float[Array, "m k"], centered: bool) -> Float[Array, "m k"]:
    """Rows of length 1, after their mean is taken off if `centered`; a row of zeros stays one."""
    if centered:
        rows = rows - rows.mean(1, keepdims=True)
    squares = (rows**2).sum(1, keepdims=True)
    return rows * jnp.where(squares > 0, lax.rsqrt(jnp.where(squares > 0, squares, 1)), 0)


def energy(features: Float[Array, "h w c"], overlap: Overlap) -> Float[Array, "h w"]:
    """At each pixel the sum, over the patches there, of the squared distances of the features from theirs.

    That is the squared distance from the patches' mean, as often as there are patches, and the patches' spread.
    """
    return overlap.count * ((features - overlap.mean) ** 2).sum(2) + overlap.spread


@functools.partial(jax.jit, static_argnames=("shape", "patch", "stride"))
def assemble(
    bank: Patches,
    numbers: Int[Array, "rows columns"],
    weights: Float[Array, "rows columns"],
    shape: tuple[int, int],
    patch: int,
    stride: int,
) -> Overlap:
    """A map of `shape` from the bank's patches of these numbers, laid on a grid of `stride`.

    weights: 1, or 0 where a patch is left out.
    """

    def spans(at: tuple[int, int]) -> list[tuple[int, int]]:
        return [(first, first + stride * (n - 1) + 1) for first, n in zip(at, numbers.shape, strict=True)]

    def laid(values: Float[Array, "rows columns c"], at: tuple[int, int]) -> Float[Array, "h w c"]:
        margins = [(first, n - last, stride - 1) for (first, last), n in zip(spans(at), shape, strict=True)]
        return lax.pad(values, jnp.zeros((), values.dtype), [*margins, (0, 0, 0)])

    def taken(full: Float[Array, "h w c"], at: tuple[int, int]) -> Float[Array, "rows columns c"]:
        (top, bottom), (left, right) = spans(at)
        return full[top:bottom:stride, left:right:stride]

    weights, places = weights[:, :, None], offsets(patch)
    count = sum((laid(weights, at) for at in places[1:]), laid(weights, places[0]))
    total = jnp.zeros((*shape, bank.pixels.shape[1]), bank.pixels.dtype)
    for at in places:
        total += laid(weights * pixel(bank, numbers, at), at)
    mean, spread = total / jnp.maximum(count, 1), jnp.zeros_like(count)
    for at in places:
        squares = ((pixel(bank, numbers, at) - taken(mean, at)) ** 2).sum(2, keepdims=True)
        spread += laid(weights * squares, at)
    return Overlap(mean, count[:, :, 0], spread[:, :, 0])
