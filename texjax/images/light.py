"""Uneven light in pictures of textures: a smooth surface is fitted to each channel and taken off.

A photograph is often brighter at one side than at the other. A picture that tiles cannot have such a gradient, so the
statistics of the photograph ask for something that no such picture has. A plane also fits a picture whose parts differ,
such as smoke on a dark ground, and taking it off would then turn the black gray. `planar_share` tells the two apart.
"""

import numpy as np
from jaxtyping import Float

from texjax import errors

DEGREES = {"none": 0, "plane": 1, "bend": 2}  # of the polynomial in x and y
METHODS = ("auto", *DEGREES)

# From this share on, a gradient is light. The share is 0.74 and 1.0 for noise under uneven light, and 0.72 for bark to
# which a gradient of 47 levels was added. It is at most 0.66 for photographs of even textures, of smoke and of scenes.
LIGHT = 0.7
SEEN = 0.02  # share of the variance of all pixels below which a gradient is lost in the texture
BLOCKS = 4  # to a side

Image = Float[np.ndarray, "h w 3"]


def is_uneven(image: Image) -> bool:
    """Return whether light on an even texture explains the picture's gradient, and the gradient is seen."""
    return planar_share(image) >= LIGHT and _explained(image) >= SEEN


def planar_share(image: Image) -> float:
    """Return the share of the variance between the means of 4 x 4 blocks that a plane explains, in [0, 1].

    The plane is fitted to the means of each channel. Light on an even texture makes the means planar, and the means of
    a picture of different parts are not. The share is 0 for a picture without variance, or with fewer than 4 pixels on
    a side.
    """
    if min(image.shape[:2]) < BLOCKS:
        return 0.0
    rows = [block.mean(0, np.float64) for block in np.array_split(image, BLOCKS)]
    means = np.stack([[block.mean(0) for block in np.array_split(row, BLOCKS)] for row in rows]).astype(np.float32)
    return _explained(means)


def _explained(image: Image) -> float:
    """The share of the variance of the channels that planes explain; 0 where there is no variance."""
    variance, rest = (((x - x.mean((0, 1))) ** 2).sum(dtype=np.float64) for x in (image, flatten(image, "plane")))
    return 1 - float(rest / variance) if variance else 0.0


def flatten(image: Image, method: str) -> Image:
    """Subtract the polynomial of x and y that fits each channel best in the least squares; its mean is kept.

    Args:
        image: sRGB in [0, 1].
        method: "none", "plane" (1, x, y) or "bend" (also x^2, x y, y^2, as of a vignette).

    Returns:
        The picture, float32; its values may leave [0, 1] by a little.

    Raises:
        TexjaxError: for an unknown method.
    """
    if method not in DEGREES:
        raise errors.unknown("method of source.flatten", method, DEGREES)
    if method == "none":
        return image
    height, width, _ = image.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    degree = DEGREES[method]
    powers = [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    basis = np.stack(powers, -1).reshape(-1, len(powers))
    # A few thousand pixels say what all of them do, as the surface has six coefficients at most.
    step = max(1, len(basis) // 65536)
    flat = image.reshape(-1, 3).astype(np.float64)
    coefficients = np.linalg.lstsq(basis[::step], flat[::step], rcond=None)[0]
    light = (basis @ coefficients).reshape(image.shape)
    light = light - light.mean((0, 1), keepdims=True)
    return (image - light).astype(np.float32)
