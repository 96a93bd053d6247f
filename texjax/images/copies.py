"""Turned and scaled copies of a picture, which widen what patches can be found in it (as in Li & Wand's CNNMRF)."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from texjax import errors

Picture = Float32[np.ndarray, "_ _ 3"]
ANGLE, FACTOR = math.pi / 24, 1.05  # steps of CNNMRF


def of(
    image: Float32[np.ndarray, "h w 3"],
    rotations: int = 1,
    scales: int = 1,
    angle: float = ANGLE,
    factor: float = FACTOR,
) -> list[Picture]:
    """The picture turned by i x angle and enlarged by factor^j, (2 rotations + 1) x (2 scales + 1) copies with itself.

    rotations, scales: steps to each side. angle: of a step, in radians; turned pictures are cut to the largest upright
    box that lies within them.

    Raises TexjaxError for negative numbers of steps and a factor that is not above 0.
    """
    if min(rotations, scales) < 0 or factor <= 0:
        raise errors.TexjaxError(
            f"copies are to be turned {rotations} and scaled {scales} times by {factor}; give numbers from 0, and a "
            f"factor above 0, such as 1.05."
        )
    return [copy(image, i * angle, factor**j) for i, j in _steps(rotations, scales)]


def copy(image: Float32[np.ndarray, "h w 3"], angle: float, factor: float) -> Picture:
    """The picture turned counterclockwise by `angle` (radians, at most a quarter turn) and enlarged by `factor`.

    Turned and scaled at once, by bilinear interpolation between pixels; what would need pixels outside is cut off.
    """
    size, box = np.array(image.shape[:2]) - 1.0, np.array(copy_size(image.shape[:2], angle, factor))
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    turn = np.array([[cos, sin], [-sin, cos]])
    start: Any = size / 2 - turn @ ((box - 1) / 2)  # SciPy's annotation knows numbers only
    channels = [
        ndimage.affine_transform(image[:, :, k], turn, start, tuple(box), order=1, mode="nearest") for k in range(3)
    ]
    return np.stack(channels, -1)


def copy_size(shape: tuple[int, ...], angle: float, factor: float) -> tuple[int, int]:
    """Height and width of the copy of a picture of that height and width."""
    size = np.array(shape) - 1.0  # from the first pixel's middle to the last one's
    height, width = np.floor(factor * inscribed(size, abs(angle)) + 1e-6).astype(int) + 1
    return int(height), int(width)


def sizes(
    shape: tuple[int, ...], rotations: int, scales: int, angle: float = ANGLE, factor: float = FACTOR
) -> list[tuple[int, int]]:
    """Height and width of the copies that `of` makes."""
    return [copy_size(shape, i * angle, factor**j) for i, j in _steps(rotations, scales)]


def _steps(rotations: int, scales: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(-rotations, rotations + 1) for j in range(-scales, scales + 1)]


def inscribed(size: np.ndarray, angle: float) -> np.ndarray:
    """Height and width of the largest upright box within a box of `size` (height, width) turned by 0 to pi/2."""
    sin, cos = math.sin(angle), math.cos(angle)
    short, long = sorted(size)
    if short <= 2 * sin * cos * long:  # two corners on the long sides, the others within
        sides = np.array([cos, sin]) if size[0] >= size[1] else np.array([sin, cos])
        return short / 2 / sides[::-1]
    return (size * cos - size[::-1] * sin) / (cos**2 - sin**2)
