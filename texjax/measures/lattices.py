"""Measure whether a result repeats as strictly as its sources."""

from collections.abc import Sequence

import numpy as np

from texjax.images import repetition
from texjax.measures import arrays


def periodicity(result: arrays.Image, sources: Sequence[arrays.Image]) -> float:
    """Return how much less of the result than of the sources repeats after the sources' own lags.

    For each source let l be its strongest lag and s its share there, see `repetition.strongest`, and t the largest
    share of the result at lags within 15 % of l. The measure is the mean of s - t over the sources.

    0 is best. Positive values, at most 1, mean a lattice that is lost; negative ones, a result that repeats more than
    its sources. Irregular textures have values near 0 whatever the result.
    """
    strongest = [repetition.strongest(source) for source in sources]
    return float(np.mean([share - repetition.strongest(result, near=lag).share for share, lag in strongest]))
