"""Uneven light: surfaces that were added by hand are taken off, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors
from texjax.images import light


def coordinates(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(-1, 1, width)[None, :, None], np.linspace(-1, 1, height)[:, None, None]


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**31 - 1))
def test_a_plane_leaves_its_mean(height: int, width: int, seed: int):
    x, y = coordinates(height, width)
    a, b, c = np.random.default_rng(seed).uniform(-0.2, 0.2, (3, 3))
    image = (0.5 + a * x + b * y + c).astype(np.float32)
    np.testing.assert_allclose(light.flatten(image, "plane"), np.broadcast_to(0.5 + c, image.shape), atol=1e-5)


def test_a_bend_is_taken_off_by_bend_alone():
    x, y = coordinates(65, 65)
    image = np.broadcast_to(0.3 + 0.4 * x**2 - 0.1 * x * y, (65, 65, 3)).astype(np.float32)
    np.testing.assert_allclose(light.flatten(image, "bend"), np.full((65, 65, 3), image.mean()), atol=1e-5)
    assert light.flatten(image, "plane").std() > 0.1


def test_least_squares_against_numpy():
    """numpy.polynomial's own design matrix of degree 1 in x and in y, without their product."""
    rng = np.random.default_rng(0)
    image = rng.random((30, 41, 3)).astype(np.float32)
    x, y = (np.broadcast_to(c, (30, 41, 1)).ravel() for c in coordinates(30, 41))
    design = np.polynomial.polynomial.polyvander2d(x, y, [1, 1])[:, :3]
    values = image.reshape(-1, 3).astype(np.float64)
    fitted = design @ np.linalg.solve(design.T @ design, design.T @ values)
    expected = (values - fitted + values.mean(0)).reshape(image.shape)
    np.testing.assert_allclose(light.flatten(image, "plane"), expected, atol=1e-5)


def test_none_changes_nothing():
    image = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(light.flatten(image, "none"), image)


def test_an_unknown_method():
    with pytest.raises(errors.TexjaxError, match=r"unknown method of source.flatten 'plain'; did you mean 'plane'"):
        light.flatten(np.zeros((4, 4, 3), np.float32), "plain")
