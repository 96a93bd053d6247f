"""Uneven light: surfaces that were added by hand are taken off, and nothing else."""

import jax.numpy as jnp
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


def smooth_part(image: np.ndarray) -> np.ndarray:
    """Moisan's smooth part of one channel, by solving the linear system of the Laplacian itself."""
    height, width = image.shape
    rows, columns = (np.roll(np.eye(n), 1, 0) + np.roll(np.eye(n), -1, 0) - 2 * np.eye(n) for n in (height, width))
    laplacian = np.kron(rows, np.eye(width)) + np.kron(np.eye(height), columns)
    jumps = np.zeros(image.shape)
    jumps[0] += image[-1] - image[0]
    jumps[-1] -= image[-1] - image[0]
    jumps[:, 0] += image[:, -1] - image[:, 0]
    jumps[:, -1] -= image[:, -1] - image[:, 0]
    return np.linalg.lstsq(laplacian, jumps.ravel(), rcond=None)[0].reshape(image.shape)


def test_the_periodic_part_against_a_linear_system():
    image = np.random.default_rng(0).random((12, 17, 3)).astype(np.float32)
    expected = image - np.stack([smooth_part(image[..., k].astype(np.float64)) for k in range(3)], -1)
    np.testing.assert_allclose(light.flatten(image, "periodic"), expected, atol=1e-5)
    np.testing.assert_allclose(light.periodic(jnp.asarray(image)), expected, atol=1e-5)


@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 2**31 - 1))
def test_the_periodic_part_of_a_gradient_is_its_mean(height: int, width: int, seed: int):
    """A gradient along one axis is a smooth part as a whole: of values i at the pixels, its jump is n - 1."""
    slope, level = np.random.default_rng(seed).uniform(-0.3, 0.3, (2, 3))
    image = (0.5 + level + slope * np.linspace(-1, 1, width)[None, :, None]).repeat(height, 0).astype(np.float32)
    flat = light.flatten(image, "periodic")
    np.testing.assert_allclose(flat.mean((0, 1)), 0.5 + level, atol=1e-5)
    # Neighbors differ by 2 slope / (width - 1), and the smooth part by 2 slope / width.
    assert np.abs(flat - 0.5 - level).max() <= np.abs(slope).max() / width + 1e-5


def test_a_period_of_a_wave_keeps_its_shape():
    """What tiles has small jumps, and little is taken off."""
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * np.arange(64) / 64)
    image = np.broadcast_to(wave[None, :, None], (48, 64, 3)).astype(np.float32)
    assert np.abs(light.flatten(image, "periodic") - image).max() < 0.3 * 2 * np.pi / 64


def test_an_unknown_method():
    with pytest.raises(errors.TexjaxError, match=r"unknown method of source.flatten 'plain'; did you mean 'plane'"):
        light.flatten(np.zeros((4, 4, 3), np.float32), "plain")
