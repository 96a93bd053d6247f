"""How much of a result is copied."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int

from texjax.measures import arrays

PATCH = 5
CORNER = np.array([[0, 0], [0, 1], [1, 0]])  # a pixel, and its neighbors to the right and below
COMPARISONS = 2**30  # of patches; a second or two on a desktop computer
ENOUGH = 1024  # pixels of a result that are looked at however large the sources are
BLOCK = 1024  # source patches that are compared at once

Patches = Float32[np.ndarray, "n 75"]


def displacement_score(result: arrays.Picture, sources: Sequence[arrays.Picture]) -> float:
    """The share of neighboring pixels whose nearest source patches are displaced differently.

    For pixel p let d(p) = n(p) - p, where n(p) is the source patch of 5 x 5 pixels nearest to that at p (squared
    differences; of several sources the nearest over all, and the source is part of d). The score is the share of pairs
    (p, q), q right of or below p, with d(p) != d(q) (Gonthier et al. 2022, arXiv 2008.01808, after the displacement
    maps of Aguerrebere et al. 2013, IPOL 3). Of pictures larger than about 140 x 140 pixels a sample is taken: p is on
    a regular grid, as dense as `COMPARISONS` allows, and the score is known to about 0.01.

    Near 0 large pieces are copied verbatim. High is no quality in itself: noise has more than 0.8, and so have two
    disjoint crops of a photographed bark.
    """
    windows = _windows(result)
    pixels = _sample(_count(result), sum(math.prod(_count(source)) for source in sources))
    pixels = pixels[:, None] + CORNER[None]
    wanted = windows[pixels[..., 0], pixels[..., 1]]
    nearest = _nearest(_flat(wanted), sources).reshape(*pixels.shape[:2], 3)
    offsets = np.concatenate([nearest[..., :1], nearest[..., 1:] - pixels], -1)
    return float((offsets[:, 1:] != offsets[:, :1]).any(-1).mean())


def _count(picture: arrays.Picture) -> tuple[int, int]:
    """Rows and columns of patches."""
    return picture.shape[0] - PATCH + 1, picture.shape[1] - PATCH + 1


def _windows(picture: arrays.Picture) -> Float32[np.ndarray, "h w 3 5 5"]:
    """The patch of every pixel, by its top left corner; a view."""
    # Centered, as float32 then tells apart patches that differ little.
    centered = picture.astype(np.float32) - np.float32(0.5)
    return np.lib.stride_tricks.sliding_window_view(centered, (PATCH, PATCH), axis=(0, 1))  # pyright: ignore


def _flat(windows: np.ndarray) -> Patches:
    return windows.reshape(-1, 3 * PATCH**2)


def _sample(shape: tuple[int, int], bank: int) -> Int[np.ndarray, "n 2"]:
    """A regular grid of pixels that have both neighbors."""
    count = max(ENOUGH, COMPARISONS // (len(CORNER) * bank))
    step = math.ceil(math.sqrt(math.prod(n - 1 for n in shape) / count))
    axes = [np.arange(0, n - 1, step) for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)


def _nearest(wanted: Patches, sources: Sequence[arrays.Picture]) -> Int[np.ndarray, "n 3"]:
    """(source, row, column) of the nearest patch. Only a block of the source's patches exists at a time."""
    best, places = np.full(len(wanted), -np.inf, np.float32), np.zeros((len(wanted), 3), int)
    for number, source in enumerate(sources):
        windows = _windows(source)
        width = windows.shape[1]
        rows = max(1, BLOCK // width)
        for top in range(0, len(windows), rows):
            bank = _flat(windows[top : top + rows])
            # |a - b|^2 = |a|^2 - 2 (a b - |b|^2 / 2), and |a|^2 is the same for all b.
            scores = wanted @ bank.T - ((bank**2).sum(1) / 2)[None]
            found = scores.argmax(1)
            score = np.take_along_axis(scores, found[:, None], 1)[:, 0]
            row, column = np.divmod(found, width)
            place = np.stack([np.full_like(row, number), top + row, column], -1)
            better = score > best
            best[better], places[better] = score[better], place[better]
    return places
