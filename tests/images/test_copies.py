"""Rotated and scaled copies of linear ramps, whose copies are known exactly."""

import math

import numpy as np
import pytest

from texjax import errors
from texjax.images import copies


def ramps(height: int, width: int) -> np.ndarray:
    """Return an image whose channels rise to the right, rise downward, and are constant.

    They are linear, so bilinear interpolation of them is exact.
    """
    y, x = np.mgrid[:height, :width] / 100
    return np.stack([x, y, np.full_like(x, 0.5)], -1).astype(np.float32)


def test_number_and_sizes_of_copies():
    all_copies = copies.turned_and_scaled(ramps(40, 60), rotations=2, scales=1)
    assert len(all_copies) == 15
    upright = all_copies[6:9]  # the 39 and 59 steps between the outermost pixels, scaled by 1 / 1.05, 1 and 1.05
    assert [copy.shape[:2] for copy in upright] == [(38, 57), (40, 60), (41, 62)]
    np.testing.assert_allclose(upright[1], ramps(40, 60), atol=1e-6)
    assert len(copies.turned_and_scaled(ramps(40, 60))) == 9
    assert len(copies.turned_and_scaled(ramps(40, 60), rotations=0, scales=0)) == 1


@pytest.mark.parametrize("factor", [1.05, 1 / 1.05])
@pytest.mark.parametrize("angle", [math.pi / 24, -math.pi / 24, math.pi / 3])
def test_slopes_rotate_and_shrink(angle: float, factor: float):
    """A ramp that rises to the right rises to the right and up after a counterclockwise rotation; rows count down."""
    copy = copies.rotate_and_scale(ramps(60, 80), angle, factor)
    right, down = np.diff(copy, axis=1).mean((0, 1)), np.diff(copy, axis=0).mean((0, 1))  # slopes per pixel
    cos, sin = 0.01 * math.cos(angle) / factor, 0.01 * math.sin(angle) / factor
    np.testing.assert_allclose(right, [cos, sin, 0], atol=1e-5)
    np.testing.assert_allclose(down, [-sin, cos, 0], atol=1e-5)
    # The slope is the same everywhere: no pixel comes from outside the image, where the ramp would end.
    assert np.ptp(np.diff(copy, axis=1)[..., 0]) < 1e-5


@pytest.mark.parametrize("size", [(60.0, 80.0), (80.0, 60.0), (50.0, 50.0), (20.0, 90.0)])
@pytest.mark.parametrize("angle", [0.0, 0.13, 0.5, 1.2, math.pi / 2])
def test_box_is_the_largest_that_fits(size: tuple[float, float], angle: float):
    """Compare with all boxes whose corners stay within the rotated one, by trying heights."""
    sides = np.array(size)
    cos, sin = math.cos(angle), math.sin(angle)

    def fits(h, w):
        return (h * cos + w * sin <= sides[0] + 1e-6) & (w * cos + h * sin <= sides[1] + 1e-6)

    h, w = copies.inscribed_box(sides, angle)
    assert fits(h, w)
    heights = np.linspace(0.01, math.hypot(*size), 4000)
    with np.errstate(divide="ignore"):
        widths = np.minimum((sides[0] - heights * cos) / max(sin, 1e-12), (sides[1] - heights * sin) / max(cos, 1e-12))
    assert h * w >= (heights * widths).max() - 1e-6
    assert h * w <= (heights * widths).max() * 1.01


def test_negative_step_counts_are_refused():
    with pytest.raises(errors.TexjaxError, match="turned -1 and scaled 1 times"):
        copies.turned_and_scaled(ramps(9, 9), rotations=-1)


def test_sizes_are_those_of_the_copies():
    all_copies = copies.turned_and_scaled(ramps(17, 24), 1, 2, angle=0.3, factor=1.2)
    assert copies.sizes((17, 24), 1, 2, angle=0.3, factor=1.2) == [copy.shape[:2] for copy in all_copies]
