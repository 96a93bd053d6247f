"""Image quilting: pictures sewn together from blocks of their sources, each cut to fit what lies beside it.

Efros and Freeman 2001, Image Quilting for Texture Synthesis and Transfer, SIGGRAPH, doi 10.1145/383259.383296.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from texjax import types, validate

Picture = Float[np.ndarray, "_ _ c"]
TOLERANCE = 0.1  # blocks are drawn from all windows whose error is at most so much larger than the smallest, relatively
ROUNDING = 1e-9  # of sums of squares that the transforms compute


def quilt(
    sources: Sequence[types.AnyImage],
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    block: int = 32,
    tile: bool = False,
) -> Picture:
    """Return a picture [height, width, c] of windows of the sources, laid in raster order with overlaps.

    Each block is drawn uniformly from all windows of all sources whose squared difference from what it will overlap is
    at most 1.1 times the smallest, and is cut along the path of least squared difference through each overlap. The
    blocks stand at equal distances, which are chosen such that they overlap by at least a sixth of a block.

    Args:
        sources: pictures with c channels each.
        size: (height, width) of the result in pixels.
        rng: random numbers.
        block: side of the blocks in pixels; a smaller side of a source or of the result takes its place.
        tile: whether the result continues over its edges: the last blocks of a row and the last row overlap with the
            first ones too, and are cut on both sides.

    Raises:
        TexjaxError: for a block of less than one pixel.
    """
    validate.whole("block of the quilt", block, 1)
    arrays = [np.asarray(source, np.float64) for source in sources]
    block = min(block, *size, *(side for array in arrays for side in array.shape[:2]))
    overlap = min(max(block // 6, 1), block - 1)
    spectra = [spectrum(array) for array in arrays]
    result = np.zeros((*size, arrays[0].shape[2]))
    tops, lefts = (places(length, block, overlap, tile) for length in size)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            sides = i > 0, tile and i == len(tops) - 1, j > 0, tile and j == len(lefts) - 1
            at = np.ix_((top + np.arange(block)) % size[0], (left + np.arange(block)) % size[1])
            below = result[at]
            mask = overlaps(block, overlap, sides)
            costs = [errors(s, a.shape[:2], below, mask) for s, a in zip(spectra, arrays, strict=True)]
            which, y, x = draw(costs, rng)
            above = arrays[which][y : y + block, x : x + block]
            uncut = cover(((above - below) ** 2).sum(-1), overlap, sides)
            result[at] = np.where(uncut[..., None], above, below)
    return result.astype(np.float32)


def places(length: int, block: int, overlap: int, tile: bool) -> list[int]:
    """Return where blocks begin along a side, at nearly equal distances of at most `block - overlap`.

    Where the side is closed to a ring (`tile`), the distance from the last place to the first is one of them.
    """
    step = block - overlap
    if tile:
        count = -(-length // step)
        return [i * length // count for i in range(count)]
    count = 1 - (block - length) // step
    return [i * (length - block) // max(count - 1, 1) for i in range(count)]


def overlaps(block: int, overlap: int, sides: tuple[bool, bool, bool, bool]) -> Bool[np.ndarray, "b b"]:
    """Return where a block meets what lies there already: along its top, bottom, left and right, where `sides` say."""
    edge = np.arange(block) < overlap
    top, bottom, left, right = sides
    rows, columns = (top & edge) | (bottom & edge[::-1]), (left & edge) | (right & edge[::-1])
    return rows[:, None] | columns[None]


def cover(
    errors: Float[np.ndarray, "b b"], overlap: int, sides: tuple[bool, bool, bool, bool]
) -> Bool[np.ndarray, "b b"]:
    """Return where a block covers what lies there already: within the cheapest cuts through its overlaps.

    errors: squared differences; `sides` as in `overlaps`.
    """
    covered = np.ones(errors.shape, bool)
    # Each view has the overlap in its first columns.
    views = [(a.T, a[::-1].T, a, a[:, ::-1]) for a in (errors, covered)]
    for present, error, inside in zip(sides, *views, strict=True):
        if present and overlap:
            inside[:, :overlap] &= np.arange(overlap)[None] >= cut(error[:, :overlap])[:, None]
    return covered


def cut(errors: Float[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """Return the column, in each row, of the path from the first row to the last with the least sum of errors.

    From row to row the path moves by one column at most. The sums to each pixel are
    E_ij = e_ij + min(E_{i-1,j-1}, E_{i-1,j}, E_{i-1,j+1}), and the path is traced back from the least of the last row.
    """
    sums = np.pad(errors, ((0, 0), (1, 1)), constant_values=np.inf)
    for above, row in itertools.pairwise(sums):
        row[1:-1] += np.minimum(np.minimum(above[:-2], above[1:-1]), above[2:])
    path = np.empty(len(errors), int)
    path[-1] = sums[-1].argmin()
    for i in range(len(errors) - 2, -1, -1):
        first = path[i + 1] - 1
        path[i] = first + sums[i, first : first + 3].argmin()
    return path - 1


def errors(
    transform: Complex[np.ndarray, "k _ _"],
    shape: tuple[int, int],
    block: Picture,
    mask: Bool[np.ndarray, "b b"],
) -> Float[np.ndarray, "_ _"]:
    """Return sum m (s - b)^2 of each window s of a source from a block b under a mask m, by Fourier transforms.

    It is the sum of m s^2 - 2 m b s + m b^2, whose first two terms are correlations with the source.

    transform: of the source, see `spectrum`; `shape` is the source's height and width.
    """
    masked = block * mask[..., None]
    kernel = np.concatenate([-2 * masked, mask[..., None]], -1)
    product = (transform * np.fft.rfft2(np.moveaxis(kernel, -1, 0), shape, axes=(1, 2)).conj()).sum(0)
    rows, columns = (side - len(mask) + 1 for side in shape)
    return np.fft.irfft2(product, shape, axes=(0, 1))[:rows, :columns] + (masked**2).sum()


def spectrum(source: Picture) -> Complex[np.ndarray, "k _ _"]:
    """Return the spectra of the channels and, last, of the sum of their squares."""
    channels = np.concatenate([source, (source**2).sum(-1, keepdims=True)], -1)
    return np.fft.rfft2(np.moveaxis(channels, -1, 0))


def draw(costs: Sequence[Float[np.ndarray, "_ _"]], rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw a source, a row and a column among those whose cost is within the tolerance of the smallest."""
    smallest = max(min(cost.min() for cost in costs), 0)
    candidates = [np.argwhere(cost <= (1 + TOLERANCE) * smallest + ROUNDING) for cost in costs]
    which = np.repeat(np.arange(len(costs)), [len(pairs) for pairs in candidates])
    number = rng.integers(len(which))
    y, x = np.concatenate(candidates)[number]
    return int(which[number]), int(y), int(x)
