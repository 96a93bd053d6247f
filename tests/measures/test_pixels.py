"""Color distance and seam, worked out by hand or by SciPy."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import measures
from texjax.measures import pixels


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def rows(*values: float) -> np.ndarray:
    """Return a gray image, four pixels wide, with one value for each row."""
    return np.broadcast_to(np.array(values, np.float32)[:, None, None], (len(values), 4, 3))


@settings(max_examples=20)
@given(shift=st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_a_shift_of_all_colors(shift):
    # The mean of |cos| over the sphere is 1/2.
    source = noise(20, 30)
    got = measures.color_distance((source + np.array(shift)).astype(np.float32), [source])
    assert got == pytest.approx(np.linalg.norm(shift) / 2, rel=0.02, abs=1e-6)


def test_a_gray_shift_by_hand():
    source = noise(20, 30)
    assert measures.color_distance(source + np.float32(0.1), [source]) == pytest.approx(
        0.1 * math.sqrt(3) / 2, rel=0.01
    )


def test_two_colors_by_hand():
    # Half of the pixels move by the vector (1, 1, 1), whose length is sqrt(3).
    black, mixed = np.zeros((30, 50, 3), np.float32), rows(*[0, 1] * 500)
    assert measures.color_distance(mixed, [black]) == pytest.approx(0.5 * math.sqrt(3) / 2, rel=0.01)
    assert measures.color_distance(mixed, [black, black + 1]) < 0.001


def test_directions_are_evenly_spread():
    u = pixels.directions()
    np.testing.assert_allclose(np.linalg.norm(u, axis=1), 1)
    np.testing.assert_allclose(u.T @ u / len(u), np.eye(3) / 3, atol=0.01)


def test_equals_scipy():
    result, source = noise(30, 40), noise(25, 55, 1) ** 2
    flat = result.reshape(-1, 3), source.reshape(-1, 3)
    want = np.mean([scipy.stats.wasserstein_distance(*(x @ u for x in flat)) for u in pixels.directions()])
    assert measures.color_distance(result, [source]) == pytest.approx(want, rel=0.005)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_color_distance_is_a_distance_of_sets(seed: int):
    a, b = noise(9, 7, seed), noise(8, 12, seed + 1)
    shuffled = np.random.default_rng(seed).permutation(a.reshape(-1, 3)).reshape(7, 9, 3)
    assert measures.color_distance(a, [a]) == 0
    got = measures.color_distance(a, [b])
    assert got > 0
    assert measures.color_distance(b, [a]) == pytest.approx(got, rel=1e-6)
    assert measures.color_distance(shuffled, [b]) == pytest.approx(got, rel=1e-6)


def test_a_whole_period_has_no_seam_but_half_of_it_has():
    # Neighboring rows of a triangle wave differ by 0.1, and the first and last row of half a period by 0.3.
    assert measures.seam(rows(0, 0.1, 0.2, 0.3, 0.2, 0.1)) == pytest.approx(1, rel=1e-4)
    assert measures.seam(rows(0, 0.1, 0.2, 0.3)) == pytest.approx(3, rel=1e-4)
    assert measures.seam(rows(0, 0.1, 0.2, 0.3).swapaxes(0, 1)) == pytest.approx(3, rel=1e-4)


@settings(max_examples=10)
@given(n=st.integers(3, 20), k=st.integers(1, 5), phase=st.floats(0, 6))
def test_a_periodic_plane_wave_has_no_seam(n: int, k: int, phase: float):
    # Every row is the row before, shifted circularly, so all differences have the same mean.
    y, x = np.mgrid[:n, :n]
    wave = (0.5 + 0.5 * np.cos(2 * np.pi * k * (x + y) / n + phase)).astype(np.float32)
    assert measures.seam(wave[:, :, None].repeat(3, 2)) == pytest.approx(1, rel=1e-3)


def test_a_flat_picture_has_no_seam():
    assert measures.seam(rows(0.2, 0.2, 0.2)) == 1
