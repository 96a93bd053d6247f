"""Square patches of feature maps: where they lie, their values as rows, and maps assembled from them.

Patch indices count row by row within a map and go on from one map to the next. Neighboring patches lie `stride` pixels
apart, and every patch lies wholly inside its map. The values of a patch are not copied before they are needed.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

FeatureMap = Float[Array, "_ _ c"]  # of one image, whose size may differ from that of other images
LayerMask = Float[Array, "_ _"]
Number = int | Int[Array, ""]


class Patches(NamedTuple):
    """All patches of several maps.

    pixels: [p, c], the pixels of all maps, each map row by row.
    corners: [n], for each patch, the index in `pixels` of its top left pixel.
    widths: [n], for each patch, the distance in `pixels` from one of its rows to the next: the width of its map.
    live: [n], for each patch, whether it may be matched; None where all patches may.
    grids: [maps, 3], for each map, the index of its first patch and its number of rows and columns of patches.
    """

    pixels: Float[Array, "p c"]
    corners: Int[Array, " n"]
    widths: Int[Array, " n"]
    live: Bool[Array, " n"] | None
    grids: Int[Array, "maps 3"]


class Overlap(NamedTuple):
    """A map assembled from overlapping patches, with what `energy` needs to compare a map with each of them.

    mean: [h, w, c], the average of the patches that cover a pixel, 0 where no patch does.
    count: [h, w], the number of patches that cover a pixel.
    spread: [h, w], the sum of the squared distances of these patches from `mean`.
    """

    mean: Float[Array, "h w c"]
    count: Float[Array, "h w"]
    spread: Float[Array, "h w"]


def grid(shape: tuple[int, ...], patch: int, stride: int) -> tuple[int, int]:
    """Return the number of rows and columns of patches in a map [h, w, ...]."""
    return (shape[0] - patch) // stride + 1, (shape[1] - patch) // stride + 1


@functools.partial(jax.jit, static_argnames=("patch", "stride"))
def extract(
    maps: Sequence[FeatureMap], patch: int, stride: int, masks: Sequence[LayerMask | None] | None = None
) -> Patches:
    """Return the patches of all maps.

    Args:
        maps: each [h, w, c].
        patch: side of a patch in pixels.
        stride: pixels between neighboring patches.
        masks: for each map, its mask [h, w] or None. A patch is live where the mask is above 0 at all of its pixels.
    """
    corners, widths, grids, pixel_count, patch_count = [], [], [], 0, 0
    for feature_map in maps:
        h, w, _ = feature_map.shape
        row_count, column_count = grid(feature_map.shape, patch, stride)
        corners_in_map = stride * (w * jnp.arange(row_count)[:, None] + jnp.arange(column_count)[None])
        corners.append((corners_in_map + pixel_count).reshape(-1))
        widths.append(jnp.full(row_count * column_count, w))
        grids += [patch_count, row_count, column_count]
        pixel_count, patch_count = pixel_count + h * w, patch_count + row_count * column_count
    patches = Patches(
        jnp.concatenate([feature_map.reshape(-1, feature_map.shape[-1]) for feature_map in maps]),
        jnp.concatenate(corners).astype(jnp.int32),
        jnp.concatenate(widths).astype(jnp.int32),
        None,
        # jnp.array would turn these Python numbers into a captured constant.
        jnp.stack([jnp.full((), number, jnp.int32) for number in grids]).reshape(-1, 3),
    )
    if masks is None or all(mask is None for mask in masks):
        return patches
    full_masks = [
        jnp.ones((*feature_map.shape[:2], 1)) if mask is None else mask[:, :, None]
        for feature_map, mask in zip(maps, masks, strict=True)
    ]
    mask_patches = patches._replace(pixels=jnp.concatenate([mask.reshape(-1, 1) for mask in full_masks]))
    least = rows(mask_patches, jnp.arange(len(patches.corners)), patch).min(1)
    return patches._replace(live=least > 0)


def pixel(patches: Patches, indices: Int[Array, "*m"], offset: tuple[Number, Number]) -> Float[Array, "*m c"]:
    """Return, for the patches at `indices`, the pixel that lies `offset` (down, right) from the top left one."""
    corners, widths = (of_all.at[indices].get(mode="clip") for of_all in (patches.corners, patches.widths))
    return patches.pixels.at[corners + offset[0] * widths + offset[1]].get(mode="clip")


def rows(patches: Patches, indices: Int[Array, " m"], patch: int) -> Float[Array, "m k"]:
    """Return the patches at `indices` as rows of k = patch x patch x c values."""
    # One gather of all pixels compiles many times faster than one for each of a large patch.
    place = jnp.arange(patch**2, dtype=jnp.int32)[None]
    corners, widths = (of_all.at[indices].get(mode="clip")[:, None] for of_all in (patches.corners, patches.widths))
    pixels = patches.pixels.at[corners + place // patch * widths + place % patch].get(mode="clip")
    return pixels.reshape(len(indices), -1)


def offsets(patch: int) -> list[tuple[int, int]]:
    """Return the offsets (down, right) of a patch's pixels from its top left one, row by row."""
    return [(down, right) for down in range(patch) for right in range(patch)]


def unit(rows: Float[Array, "m k"], centered: bool) -> Float[Array, "m k"]:
    """Scale the rows to length 1, after subtracting their means if `centered`; rows of zeros stay zero."""
    if centered:
        rows = rows - rows.mean(1, keepdims=True)
    squares = (rows**2).sum(1, keepdims=True)
    return rows * jnp.where(squares > 0, lax.rsqrt(jnp.where(squares > 0, squares, 1)), 0)


def energy(features: Float[Array, "h w c"], overlap: Overlap) -> Float[Array, "h w"]:
    """Return, for each pixel, the sum of the squared distances of its features from those of the patches that cover it.

    The sum over n patches is n |features - mean|^2 plus the patches' spread around their mean.
    """
    return overlap.count * ((features - overlap.mean) ** 2).sum(2) + overlap.spread


@functools.partial(jax.jit, static_argnames=("shape", "patch", "stride"))
def assemble(
    bank: Patches,
    indices: Int[Array, "rows columns"],
    weights: Float[Array, "rows columns"],
    shape: tuple[int, int],
    patch: int,
    stride: int,
) -> Overlap:
    """Lay patches of a bank on a grid and average them where they overlap.

    Args:
        bank: the patches to choose from.
        indices: the patch of the bank for each place of the grid.
        weights: 1, or 0 where the patch of a place is left out.
        shape: (h, w) of the result.
        patch: side of a patch in pixels.
        stride: pixels between neighboring places of the grid.
    """

    def extents(offset: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the range of rows and of columns that the patches' pixels at `offset` lie in, ends excluded."""
        return [(first, first + stride * (n - 1) + 1) for first, n in zip(offset, indices.shape, strict=True)]

    def lay(values: Float[Array, "rows columns c"], offset: tuple[int, int]) -> Float[Array, "h w c"]:
        """Put one value of each patch at the pixel that lies at `offset` in it, among zeros."""
        margins = [(first, n - last, stride - 1) for (first, last), n in zip(extents(offset), shape, strict=True)]
        return lax.pad(values, jnp.zeros((), values.dtype), [*margins, (0, 0, 0)])

    def pick(full: Float[Array, "h w c"], offset: tuple[int, int]) -> Float[Array, "rows columns c"]:
        """Take the values where `lay` puts them."""
        (top, bottom), (left, right) = extents(offset)
        return full[top:bottom:stride, left:right:stride]

    weights, all_offsets = weights[:, :, None], offsets(patch)
    count = sum((lay(weights, offset) for offset in all_offsets[1:]), lay(weights, all_offsets[0]))
    total = jnp.zeros((*shape, bank.pixels.shape[1]), bank.pixels.dtype)
    for offset in all_offsets:
        total += lay(weights * pixel(bank, indices, offset), offset)
    mean, spread = total / jnp.maximum(count, 1), jnp.zeros_like(count)
    for offset in all_offsets:
        squares = ((pixel(bank, indices, offset) - pick(mean, offset)) ** 2).sum(2, keepdims=True)
        spread += lay(weights * squares, offset)
    return Overlap(mean, count[:, :, 0], spread[:, :, 0])
