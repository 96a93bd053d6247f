"""The size of a texture's largest features: known periods of drawings, and a picture at twice its size."""

import numpy as np
import pytest
from PIL import Image

from texjax import images
from texjax.images import periods


def gray(values):
    return np.repeat(values[..., None], 3, -1).astype(np.float32)


def grating(side, period, degrees):
    """Sine waves of a period in pixels, whose crests lie at an angle to the columns."""
    y, x = np.mgrid[:side, :side]
    angle = np.radians(degrees)
    return gray(0.5 + 0.4 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period))


def bricks(side, width, height, mortar=3):
    """Running bond: every second row is moved by half a brick."""
    y, x = np.mgrid[:side, :side]
    moved = (x + (y // height % 2) * width // 2) % width
    return gray(np.where((y % height < mortar) | (moved < mortar), 0.8, 0.4))


@pytest.mark.parametrize("period", [8, 20, 50])
@pytest.mark.parametrize("degrees", [0, 20, 45])
def test_the_period_of_a_grating(period, degrees):
    """The window spreads each line of the spectrum by a period in 400 px, upward and downward."""
    got = periods.largest(grating(400, period, degrees))
    assert period * 0.98 < got < period / (1 - 1.5 * period / 400)


@pytest.mark.parametrize(("width", "height"), [(32, 16), (60, 20), (100, 50)])
def test_the_rows_of_bricks(width, height):
    """Most of the variance is in the joints between the rows, whose period is their height."""
    assert periods.largest(bricks(400, width, height)) == pytest.approx(height, rel=0.1)


def test_a_gradient_and_noise_change_little():
    rng = np.random.default_rng(0)
    light = np.linspace(-0.3, 0.3, 400)[:, None, None]
    noisy = 0.4 * grating(400, 20, 30) + 0.3 + 0.05 * rng.standard_normal((400, 400, 1)) + light
    assert periods.largest(noisy.astype(np.float32)) == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("name", ["bark.jpg", "embark_1.jpg", "embark_3.jpg", "embark_bricks.png"])
def test_a_photograph_twice_as_large_has_features_twice_as_large(name, test_data):
    photograph = images.load(test_data / "images" / name)
    larger = images.resize(photograph, scale=2.0)
    assert periods.largest(larger) == pytest.approx(2 * periods.largest(photograph), rel=0.05)


def test_large_pictures_are_reduced_first():
    """A period of 40 px in 6000 is one of 13.7 px in 2048."""
    strip = Image.fromarray((255 * grating(400, 40, 0)[:1, :, 0]).astype(np.uint8))
    values = np.tile(np.asarray(strip, np.float32) / 255, (300, 15))
    assert periods.largest(gray(values)) == pytest.approx(40, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 40)])
def test_without_features_the_shortest_wavelength_is_returned(shape):
    assert periods.largest(np.full((*shape, 3), 0.5, np.float32)) == 2.0
