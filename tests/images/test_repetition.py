"""Repetition of drawings with known lags, against sums over pairs of pixels, and of noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import images
from texjax.images import repetition


def gray(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, -1).astype(np.float32)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width))


def tiled(cell: int, times: int, seed: int = 0) -> np.ndarray:
    """A cell of noise, so many times along each axis."""
    return gray(np.tile(noise(cell, cell, seed), (times, times)))


@pytest.mark.parametrize("cell", [9, 16])
def test_tiles_repeat_after_a_tile(cell):
    share, lag = repetition.strongest(tiled(cell, 6))
    assert share > 0.9
    assert all(side % cell == 0 for side in lag) and any(lag)


def test_a_checkerboard_repeats_along_its_diagonal():
    y, x = np.mgrid[:96, :96] // 12
    share, (down, right) = repetition.strongest(gray(((y + x) % 2) * 0.8))
    assert share > 0.8
    assert down % 12 == right % 12 == 0 and (down + right) % 24 == 0


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(60, 120))
def test_noise_does_not_repeat(seed, height):
    assert repetition.strongest(gray(noise(height, 100, seed))).share < 0.1


def test_a_stripe_is_no_lattice_along_itself():
    """Vertical stripes of one period repeat to the right; a lag along the stripe is as good as none."""
    stripes = gray(np.broadcast_to(0.5 + 0.4 * np.sin(2 * np.pi * np.arange(100) / 20), (100, 100)))
    share, (_, right) = repetition.strongest(stripes)
    assert share > 0.6 and abs(right) % 20 == 0 and right != 0
    one = gray(np.broadcast_to(np.exp(-(((np.arange(100) - 50) / 10) ** 2)), (100, 100)))
    assert repetition.strongest(one).share < 0.05


@settings(max_examples=5)
@given(seed=st.integers(0, 99), height=st.integers(8, 13), width=st.integers(8, 13))
def test_equals_the_sums_over_pairs(seed, height, width):
    """Every lag by loops, without the fit of light, on its largest share."""
    values = noise(height, width, seed)
    values = values - values.mean()

    def correlation(i: int, j: int) -> float:
        rows, columns = range(max(0, -i), min(height, height - i)), range(max(0, -j), min(width, width - j))
        if len(rows) * len(columns) < height * width / 4:
            return 0.0
        return float(np.mean([values[y, x] * values[y + i, x + j] for y in rows for x in columns]) / values.var())

    def pixels(i: int, j: int) -> int:
        return max(0, height - abs(i)) * max(0, width - abs(j))

    # Rings of lags around 0, until their mean correlation falls to 0.
    lags = [(i, j) for i in range(-height + 1, height) for j in range(-width + 1, width)]
    squares = 0.0
    for radius in range(height + width):
        ring = [
            correlation(*lag) for lag in lags if round(np.hypot(*lag)) == radius and 4 * pixels(*lag) >= values.size
        ]
        if not ring or sum(ring) <= 0:
            break
        squares += float(np.square(ring).sum())

    def sure(i: int, j: int) -> float:
        return correlation(i, j) - 2 * (squares / max(pixels(i, j), 1)) ** 0.5

    def share(i: int, j: int) -> float:
        between = min(correlation(round(i * t / 8), round(j * t / 8)) for t in range(1, 8))
        return max(0.0, min(sure(i, j), sure(2 * i, 2 * j)) - max(0.0, between))

    down, right = repetition._lags((height, width))
    got = repetition._shares(values, down, right)
    expected = [[share(int(i), int(j)) for i, j in zip(*rows, strict=True)] for rows in zip(down, right, strict=True)]
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_a_flat_picture_and_a_tiny_one():
    assert repetition.strongest(np.full((40, 30, 3), 0.5, np.float32)).share < 1e-9
    assert repetition.strongest(np.full((2, 1, 3), 0.5, np.float32)).share < 1e-9


def test_uneven_light_does_not_count():
    light = np.linspace(-0.4, 0.4, 96)[:, None, None].astype(np.float32)
    assert repetition.strongest(tiled(16, 6) * 0.4 + 0.3 + light).share > 0.9


def test_large_pictures_are_reduced_first():
    y, x = np.mgrid[:1200, :600] // 60
    share, (down, _) = repetition.strongest(gray(((y + x) % 2) * 0.8))
    assert share > 0.9
    assert down % 60 == pytest.approx(0, abs=3) or down % 60 == pytest.approx(60, abs=3)


def test_a_lag_to_stay_near():
    picture = tiled(16, 6)
    assert repetition.strongest(picture, near=(0.0, -16.0)).lag == (0, 16)
    assert repetition.strongest(picture, near=(0.0, 24.0)).share < 0.2


@pytest.mark.parametrize("name", ["bark.jpg", "embark_1.jpg", "embark_3.jpg", "embark_multiexample_3.jpg"])
def test_photographs_of_irregular_textures(name, test_data):
    assert repetition.strongest(images.load(test_data / "images" / name)).share < 0.05
