"""The array type and the noise level that all measures share."""

import math

import numpy as np
from jaxtyping import Float

# The axes have no names, as a result and its sources may differ in size.
Image = Float[np.ndarray, "_ _ 3"]

# Standard deviation of the rounding to 8 bits. Measures treat anything smaller as this much, as it is no texture
# and would be a divisor near 0 in flat images.
ROUNDING = 1 / 255 / math.sqrt(12)
