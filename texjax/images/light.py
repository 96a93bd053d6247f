"""Uneven light in pictures of textures: a smooth surface is fitted to each channel and taken off.

A photograph is often brighter at one side than at the other. A picture that tiles cannot have such a gradient, so the
statistics of the photograph ask for something that no such picture has. Where a plane explains little of a picture's
variance, below about a tenth, it is the texture's own structure and no light.
"""

import numpy as np
from jaxtyping import Float

from texjax import errors

DEGREES = {"none": 0, "plane": 1, "bend": 2}  # of the polynomial in x and y

Image = Float[np.ndarray, "h w 3"]


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
