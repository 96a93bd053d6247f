"""Measure how much of a result is copied verbatim."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from texjax.measures import arrays

PATCH = 5  # pixels
CORNER = np.array([[0, 0], [0, 1], [1, 0]])  # offsets to a pixel itself and to its neighbors on the right and below
COMPARISONS = 2**30  # patch pairs that are compared; a second or two on a desktop computer
MIN_SAMPLES = 1024  # pixels of the result that are sampled however large the sources are
BLOCK = 1024  # source patches that are compared at once

FlatPatches = Float32[np.ndarray, "n 75"]


def displacement_score(result: arrays.Image, sources: Sequence[arrays.Image]) -> float:
    """Return the share of neighboring pixels whose nearest source patches are displaced differently.

    For pixel p let d(p) = n(p) - p, where n(p) is the position of the 5 x 5 source patch nearest to the patch at p in
    squared differences. With several sources n(p) is the nearest over all of them, and d includes the source. The score
    is the share of pairs (p, q), q to the right of p or below it, with d(p) != d(q) (Gonthier et al. 2022, arXiv
    2008.01808, after the displacement maps of Aguerrebere et al. 2013, IPOL 3).

    For images larger than about 140 x 140 pixels, p is sampled on a regular grid as dense as `COMPARISONS` allows, and
    the score is accurate to about 0.01.

    A score near 0 means that large pieces are copied verbatim. A high score alone is no sign of quality: noise has more
    than 0.8, and so have two disjoint crops of a photograph of bark.
    """
    patches = _patches(result)
    bank_size = sum(math.prod(_patches(source).shape[:2]) for source in sources)
    pixels = _sample(patches.shape[:2], bank_size)[:, None] + CORNER[None]
    queries = patches[pixels[..., 0], pixels[..., 1]]
    nearest = _nearest(_flatten(queries), sources).reshape(*pixels.shape[:2], 3)
    displacements = np.concatenate([nearest[..., :1], nearest[..., 1:] - pixels], -1)
    return float((displacements[:, 1:] != displacements[:, :1]).any(-1).mean())


def _patches(image: arrays.Image) -> Float32[np.ndarray, "rows columns 3 5 5"]:
    """Return a view of all patches, indexed by their top left pixel."""
    # Centered values let float32 tell apart patches that differ little.
    centered = image.astype(np.float32) - np.float32(0.5)
    return np.lib.stride_tricks.sliding_window_view(centered, (PATCH, PATCH), axis=(0, 1))  # pyright: ignore


def _flatten(patches: np.ndarray) -> FlatPatches:
    return patches.reshape(-1, 3 * PATCH**2)


def _sample(shape: tuple[int, ...], bank_size: int) -> Int[np.ndarray, "n 2"]:
    """Return a regular grid of pixels that have both neighbors, for a result with this number of patches per axis."""
    count = max(MIN_SAMPLES, COMPARISONS // (len(CORNER) * bank_size))
    step = math.ceil(math.sqrt(math.prod(n - 1 for n in shape) / count))
    axes = [np.arange(0, n - 1, step) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)


def _nearest(queries: FlatPatches, sources: Sequence[arrays.Image]) -> Int[np.ndarray, "n 3"]:
    """Return (source, row, column) of the patch nearest to each query; one block of source patches exists at a time."""
    best_scores, positions = np.full(len(queries), -np.inf, np.float32), np.zeros((len(queries), 3), int)
    for number, source in enumerate(sources):
        patches = _patches(source)
        width = patches.shape[1]
        block_rows = max(1, BLOCK // width)
        for top in range(0, len(patches), block_rows):
            bank = _flatten(patches[top : top + block_rows])
            # |a - b|^2 = |a|^2 - 2 (a b - |b|^2 / 2), and |a|^2 is the same for all b.
            scores = queries @ bank.T - ((bank**2).sum(1) / 2)[None]
            indices = scores.argmax(1)
            block_scores = np.take_along_axis(scores, indices[:, None], 1)[:, 0]
            row, column = np.divmod(indices, width)
            block_positions = np.stack([np.full_like(row, number), top + row, column], -1)
            better = block_scores > best_scores
            best_scores[better], positions[better] = block_scores[better], block_positions[better]
    return positions
