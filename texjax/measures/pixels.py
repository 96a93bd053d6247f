"""Measures of the pixels themselves: their colors, and whether opposite borders fit."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from texjax.measures import arrays

DIRECTIONS = 64
QUANTILES = 1024
FLAT = 1e-6  # far below a level of 8 bits


def color_distance(result: arrays.Picture, sources: Sequence[arrays.Picture]) -> float:
    """Sliced Wasserstein distance of the color distributions (Rabin et al. 2011), in units of [0, 1].

    Mean over directions u and probabilities t of |Q(t; u) - Q'(t; u)|, where Q are the quantiles of the colors
    projected on the unit vector u of RGB space, 64 evenly spread ones. The pixels of several sources are pooled.

    Lower is better, 0 where the colors are the same. Adding the same vector of length d to all colors gives d / 2.
    """
    got, target = result.reshape(-1, 3), np.concatenate([source.reshape(-1, 3) for source in sources])
    return float(np.mean([np.abs(_quantiles(got @ u) - _quantiles(target @ u)).mean() for u in directions()]))


def directions() -> Float[np.ndarray, "n 3"]:
    """Unit vectors spread evenly over half the sphere, by a golden-angle spiral; the other half gives the same."""
    i = np.arange(DIRECTIONS)
    z, angle = (i + 0.5) / DIRECTIONS, i * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)


def _quantiles(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
    """The values at evenly spaced probabilities; interpolated, as pictures of other sizes have to compare."""
    places = (np.arange(len(values)) + 0.5) / len(values)
    return np.interp((np.arange(QUANTILES) + 0.5) / QUANTILES, places, np.sort(values))


def seam(result: arrays.Picture) -> float:
    """How much a picture differs from itself where it is laid beside itself.

    mean |last row - first row| over mean |row - next row|, the same for columns, and the larger of the two.

    1 where nothing shows, higher where the border is an edge. A picture that was not made to repeat has its own value
    for unrelated rows, often 2 to 5.
    """
    return max(_seam(result), _seam(result.swapaxes(0, 1)))


def _seam(rows: arrays.Picture) -> float:
    border, inside = np.abs(rows[-1] - rows[0]).mean(), np.abs(np.diff(rows, axis=0)).mean()
    # A picture that is flat along this axis has no seam.
    return float((border + FLAT) / (inside + FLAT))
