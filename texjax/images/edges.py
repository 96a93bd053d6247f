"""Whether a picture tiles: whether its opposite edges fit together."""

import numpy as np
from jaxtyping import Float

# Edges fit where they differ by no more than this many times the median difference of neighboring rows or columns. The
# ratio is 1.41 for a sine whose edge is where it is steepest, 1.3 for pictures that tile and were resized, and 1.7 or
# more for most photographs.
FACTOR = 1.6
# Or where this share of neighboring rows differ by as much as the edges, as in a weave with steep borders of threads.
SHARE = 0.05


def fit(image: Float[np.ndarray, "h w _"]) -> bool:
    """Return whether the left edge continues the right edge, and the upper edge the lower one.

    Differences are means of |x - y| over a row or a column and the channels.
    """
    return all(_fit(np.moveaxis(image, axis, 0)) for axis in (0, 1))


def _fit(rows: np.ndarray) -> bool:
    if len(rows) < 2:
        return True
    inside = np.abs(np.diff(rows, axis=0)).mean((1, 2))
    across = np.abs(rows[0] - rows[-1]).mean()
    return bool(across <= FACTOR * np.median(inside) or (inside >= across).mean() >= SHARE)
