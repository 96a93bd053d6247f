"""Measure the pixels themselves: their colors, and whether opposite edges of an image fit together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from texjax.measures import arrays

DIRECTIONS = 64
PROBABILITIES = (np.arange(1024) + 0.5) / 1024
FLAT = 1e-6  # far below a level of 8 bits


def color_distance(result: arrays.Image, sources: Sequence[arrays.Image]) -> float:
    """Return the sliced Wasserstein distance of the color distributions (Rabin et al. 2011), in units of [0, 1].

    It is the mean over directions u and probabilities t of |Q(t; u) - Q'(t; u)|. Q are the quantiles of the colors
    projected on the unit vector u of RGB space, for 64 evenly spread u. The pixels of all sources are pooled.

    Lower is better, and 0 means equal colors. Adding a vector of length d to all colors gives d / 2.
    """
    colors, target_colors = result.reshape(-1, 3), np.concatenate([source.reshape(-1, 3) for source in sources])
    differences = [_quantiles(colors @ u) - _quantiles(target_colors @ u) for u in directions()]
    return float(np.mean(np.abs(differences)))


def directions() -> Float[np.ndarray, "n 3"]:
    """Return unit vectors spread evenly over half the sphere by a golden-angle spiral; opposite ones add nothing."""
    i = np.arange(DIRECTIONS)
    z, angle = (i + 0.5) / DIRECTIONS, i * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)


def _quantiles(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " q"]:
    """Return interpolated quantiles, whose number does not depend on that of the values, so image sizes may differ."""
    # `np.quantile` partitions the values at each quantile, which is three times faster if they are sorted already.
    return np.quantile(np.sort(values), PROBABILITIES, method="hazen")


def seam(result: arrays.Image) -> float:
    """Return how visible the edges of an image are if it is repeated as a tile.

    It is mean |last row - first row| / mean |row - next row|, or the same of the columns if that is larger.

    1 means that no seam shows, and higher values mean a visible edge. An image that was not made to tile has the value
    of unrelated rows, often 2 to 5.
    """
    return max(_seam_between_rows(result), _seam_between_rows(result.swapaxes(0, 1)))


def _seam_between_rows(image: arrays.Image) -> float:
    at_border, inside = np.abs(image[-1] - image[0]).mean(), np.abs(np.diff(image, axis=0)).mean()
    # FLAT gives images without contrast along this axis the value 1.
    return float((at_border + FLAT) / (inside + FLAT))
