"""Rotated and scaled copies of an exemplar, which add patches to the search (as in Li & Wand's CNNMRF)."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from scipy import ndimage

from texjax import errors

ANGLE, FACTOR = math.pi / 24, 1.05  # CNNMRF's steps of rotation and scaling


def turned_and_scaled(
    image: Float32[np.ndarray, "h w c"],
    rotations: int = 1,
    scales: int = 1,
    angle: float = ANGLE,
    factor: float = FACTOR,
) -> list[Float32[np.ndarray, "_ _ c"]]:
    """Return the copies of the image that are rotated by i * angle and enlarged by factor^j, the image itself included.

    Args:
        image: The exemplar [h, w, c].
        rotations: Steps of rotation to either side, i = -rotations ... rotations.
        scales: Steps of scaling to either side, j = -scales ... scales.
        angle: Rotation of one step, in radians.
        factor: Magnification of one step.

    Returns:
        (2 rotations + 1) * (2 scales + 1) images. Each is cropped to the largest upright box within the rotated image.

    Raises:
        TexjaxError: If a number of steps is negative or the factor is not positive.
    """
    if min(rotations, scales) < 0 or factor <= 0:
        raise errors.TexjaxError(
            f"copies are to be turned {rotations} and scaled {scales} times by {factor}; give step counts of at least "
            f"0 and a factor above 0, such as 1.05."
        )
    return [rotate_and_scale(image, i * angle, factor**j) for i, j in _steps(rotations, scales)]


def sizes(
    shape: tuple[int, ...], rotations: int, scales: int, angle: float = ANGLE, factor: float = FACTOR
) -> list[tuple[int, int]]:
    """Return the height and width of each copy that `turned_and_scaled` makes of an image of this shape."""
    return [_size(shape, i * angle, factor**j) for i, j in _steps(rotations, scales)]


def rotate_and_scale(image: Float32[np.ndarray, "h w c"], angle: float, factor: float) -> Float32[np.ndarray, "_ _ c"]:
    """Rotate the image counterclockwise by `angle` (radians, at most a quarter turn) and enlarge it by `factor`.

    A single bilinear interpolation does both. The result is cropped so that no pixel outside the image is needed.
    """
    size = _size(image.shape, angle, factor)
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    to_source = np.array([[cos, sin], [-sin, cos]])  # (row, column) of the copy -> (row, column) of the image
    center, copy_center = (np.array(image.shape[:2]) - 1) / 2, (np.array(size) - 1) / 2
    offset: Any = center - to_source @ copy_center  # SciPy annotates the offset as a number
    channels = [
        ndimage.affine_transform(channel, to_source, offset, size, order=1, mode="nearest")
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, -1)


def inscribed_box(sides: Float[np.ndarray, "2"], angle: float) -> Float[np.ndarray, "2"]:
    """Return the sides of the largest upright box within a box that is rotated by 0 to pi/2; sides: height, width."""
    sin, cos = math.sin(angle), math.cos(angle)
    shorter, longer = sorted(sides)
    if shorter <= 2 * sin * cos * longer:
        # Two corners of the upright box lie on the long sides, and its other two corners lie inside.
        reach = np.array([cos, sin]) if sides[0] >= sides[1] else np.array([sin, cos])
        return shorter / 2 / reach[::-1]
    return (sides * cos - sides[::-1] * sin) / (cos**2 - sin**2)


def _steps(rotations: int, scales: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(-rotations, rotations + 1) for j in range(-scales, scales + 1)]


def _size(shape: tuple[int, ...], angle: float, factor: float) -> tuple[int, int]:
    """Return the height and width of the copy of an image of this shape."""
    sides = np.array(shape[:2]) - 1.0  # distances between the centers of the outermost pixels
    height, width = np.floor(factor * inscribed_box(sides, abs(angle)) + 1e-6).astype(int) + 1
    return int(height), int(width)
