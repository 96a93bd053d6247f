"""Uneven light in pictures of textures: a smooth part is taken off.

A photograph is often brighter at one side than at the other. A picture that tiles cannot have such a gradient. Where
the network analyzes the photograph as if it tiled, the jump between opposite edges counts as a feature, and the result
has a straight line. Where it analyzes the photograph with reflected edges, the statistics ask for something that no
picture that tiles has, and the result has blotches.
"""

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from texjax import errors

DEGREES = {"none": 0, "plane": 1, "bend": 2}  # of the polynomial in x and y
METHODS = ("auto", "periodic", *DEGREES)

Image = Float[np.ndarray, "h w 3"]


def flatten(image: Image, method: str) -> Image:
    """Return the image without the smooth part that the method names; the mean of each channel is kept.

    Args:
        image: sRGB in [0, 1].
        method: "periodic", see `periodic`; or the polynomial of x and y that fits each channel best in the least
            squares: "plane" (1, x, y) or "bend" (also x^2, x y, y^2, as of a vignette); or "none".

    Returns:
        The picture, float32; its values may leave [0, 1] by a little.

    Raises:
        TexjaxError: for an unknown method.
    """
    if method == "periodic":
        return np.asarray(periodic(image.astype(np.float64)), np.float32)
    if method not in DEGREES:
        raise errors.unknown("method of source.flatten", method, [name for name in METHODS if name != "auto"])
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


def periodic(image: Float[Array | np.ndarray, "h w c"]) -> Float[Array | np.ndarray, "h w c"]:
    """Return the image without the smooth part that holds the jumps between opposite edges; arrays of NumPy or JAX.

    u - s, where the discrete Laplacian of s is that of u with the jumps at its edges (Moisan 2011, Periodic plus Smooth
    Image Decomposition, JMIV 39). A linear gradient is such a smooth part as a whole.
    """
    xp: Any = image.__array_namespace__()
    height, width, _ = image.shape
    # 1 at the first pixel of an axis, and -1 at the last one.
    at_rows, at_columns = ((xp.arange(n) == 0).astype(image.dtype) - (xp.arange(n) == n - 1) for n in (height, width))
    jumps = at_rows[:, None, None] * (image[-1] - image[0])[None]
    jumps = jumps + at_columns[None, :, None] * (image[:, -1] - image[:, 0])[:, None]
    row_waves, column_waves = (2 * xp.cos(2 * xp.pi * xp.arange(n) / n) - 2 for n in (height, width))
    laplacian = row_waves[:, None] + column_waves[None]
    laplacian = xp.where(laplacian == 0, 1.0, laplacian)[..., None]  # of the mean, whose jumps add up to 0
    smooth = xp.fft.ifft2(xp.fft.fft2(jumps, axes=(0, 1)) / laplacian, axes=(0, 1)).real
    return image - smooth.astype(image.dtype)
