"""What the measures share."""

import math

import numpy as np
from jaxtyping import Float

# Result and sources may have different sizes, so these shapes are not named.
Picture = Float[np.ndarray, "_ _ 3"]

# Standard deviation of the rounding to 8 bits. What is smaller is no texture, and would be divided by in flat pictures.
ROUNDING = 1 / 255 / math.sqrt(12)
