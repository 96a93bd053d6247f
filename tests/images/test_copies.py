"""Turned and scaled copies against pictures whose copies are known."""

import math

import numpy as np
import pytest

from texjax import errors
from texjax.images import copies


def ramps(height: int, width: int) -> np.ndarray:
    """Brightness that rises to the right, downward, and nowhere: linear, so interpolation is exact."""
    y, x = np.mgrid[:height, :width] / 100
    return np.stack([x, y, np.full_like(x, 0.5)], -1).astype(np.float32)


def test_number_and_sizes_of_copies():
    found = copies.of(ramps(40, 60), rotations=2, scales=1)
    assert len(found) == 15
    middle = found[6:9]  # not turned: 39 and 59 steps between the outermost pixels, scaled
    assert [one.shape[:2] for one in middle] == [(38, 57), (40, 60), (41, 62)]
    np.testing.assert_allclose(middle[1], ramps(40, 60), atol=1e-6)
    assert len(copies.of(ramps(40, 60))) == 9
    assert len(copies.of(ramps(40, 60), rotations=0, scales=0)) == 1


@pytest.mark.parametrize("factor", [1.05, 1 / 1.05])
@pytest.mark.parametrize("angle", [math.pi / 24, -math.pi / 24, math.pi / 3])
def test_slopes_turn_and_shrink(angle: float, factor: float):
    """Per pixel of the copy, counterclockwise (rows go down): what rose to the right rises to the right and up."""
    found = copies.copy(ramps(60, 80), angle, factor)
    right, down = np.diff(found, axis=1).mean((0, 1)), np.diff(found, axis=0).mean((0, 1))
    cos, sin = 0.01 * math.cos(angle) / factor, 0.01 * math.sin(angle) / factor
    np.testing.assert_allclose(right, [cos, sin, 0], atol=1e-5)
    np.testing.assert_allclose(down, [-sin, cos, 0], atol=1e-5)
    assert np.ptp(np.diff(found, axis=1)[..., 0]) < 1e-5  # nothing from outside, where the ramp would end


@pytest.mark.parametrize("size", [(60.0, 80.0), (80.0, 60.0), (50.0, 50.0), (20.0, 90.0)])
@pytest.mark.parametrize("angle", [0.0, 0.13, 0.5, 1.2, math.pi / 2])
def test_box_is_the_largest_that_fits(size: tuple[float, float], angle: float):
    """Of all boxes whose corners stay within the turned one, by trial of heights."""
    sides = np.array(size)
    cos, sin = math.cos(angle), math.sin(angle)

    def fits(h, w):
        return (h * cos + w * sin <= sides[0] + 1e-6) & (w * cos + h * sin <= sides[1] + 1e-6)

    h, w = copies.inscribed(sides, angle)
    assert fits(h, w)
    heights = np.linspace(0.01, math.hypot(*size), 4000)
    with np.errstate(divide="ignore"):
        widths = np.minimum((sides[0] - heights * cos) / max(sin, 1e-12), (sides[1] - heights * sin) / max(cos, 1e-12))
    assert h * w >= (heights * widths).max() - 1e-6
    assert h * w <= (heights * widths).max() * 1.01


def test_what_cannot_be_is_refused():
    with pytest.raises(errors.TexjaxError, match="turned -1 and scaled 1 times"):
        copies.of(ramps(9, 9), rotations=-1)


def test_sizes_are_those_of_the_copies():
    made = copies.of(ramps(17, 24), 1, 2, angle=0.3, factor=1.2)
    assert copies.sizes((17, 24), 1, 2, angle=0.3, factor=1.2) == [copy.shape[:2] for copy in made]
