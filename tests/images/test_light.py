"""Uneven light: surfaces that were added by hand are taken off, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors, images
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


def test_the_planar_share_against_a_fit_of_block_means_by_hand():
    rng = np.random.default_rng(1)
    image = rng.random((40, 60, 3)).astype(np.float32) + np.linspace(0, 0.3, 60, dtype=np.float32)[None, :, None]
    means = image.reshape(4, 10, 4, 15, 3).mean((1, 3), dtype=np.float64)
    # Rows and columns of blocks are orthogonal, so that each slope is a projection of its own.
    c = np.array([-3, -1, 1, 3])
    slopes = (means * c[:, None, None]).sum((0, 1)), (means * c[None, :, None]).sum((0, 1))
    explained = sum((slope**2 / (4 * (c**2).sum())).sum() for slope in slopes)
    share = explained / ((means - means.mean((0, 1))) ** 2).sum()
    assert light.planar_share(image) == pytest.approx(share, abs=1e-4)
    assert share > light.LIGHT


@given(st.integers(0, 2**31 - 1))
def test_a_gradient_on_noise_is_light_and_two_halves_of_another_color_are_not(seed: int):
    noise = np.random.default_rng(seed).normal(0, 0.1, (64, 64, 3)).astype(np.float32)
    x = np.linspace(-1, 1, 64, dtype=np.float32)[None, :, None]
    assert light.planar_share(0.5 + 0.2 * x + noise) > 0.9
    assert light.planar_share(0.5 + 0.4 * (abs(x) < 0.5) + noise) < 0.2


@pytest.mark.parametrize("name", ["uneven_light.png", "pale_uneven.png"])
def test_uneven_photographs_are_recognized(test_data: Path, name: str):
    assert light.is_uneven(images.load(test_data / "cases" / name))


@pytest.mark.parametrize(
    "name", ["bark.jpg", "embark_1.jpg", "embark_2.jpg", "embark_3.jpg", "embark_multiexample_3.jpg"]
)
def test_textures_are_not_taken_for_light(test_data: Path, name: str):
    assert not light.is_uneven(images.load(test_data / "images" / name, width=256))


def test_a_gradient_that_is_lost_in_the_texture_stays():
    """Of 8 levels, 0.0026 of a variance of 0.3^2; the means of blocks of noise follow it nevertheless."""
    noise = np.random.default_rng(0).normal(0.5, 0.01, (64, 64, 3)).astype(np.float32)
    x = np.linspace(-1, 1, 64, dtype=np.float32)[None, :, None]
    stripes = 0.3 * np.where(np.arange(64) % 2, 1, -1).astype(np.float32)[None, :, None]
    assert light.planar_share(noise + 4 / 255 * x) > light.LIGHT
    assert light.is_uneven(noise + 4 / 255 * x)
    assert not light.is_uneven(noise + stripes + 4 / 255 * x)


@pytest.mark.parametrize("shape", [(3, 50), (50, 1), (8, 8)])
def test_nothing_can_be_said_of_a_tiny_or_a_plain_picture(shape: tuple[int, int]):
    assert light.planar_share(np.full((*shape, 3), 0.5, np.float32)) == 0
    assert not light.is_uneven(np.full((*shape, 3), 0.5, np.float32))


def test_an_unknown_method():
    with pytest.raises(errors.TexjaxError, match=r"unknown method of source.flatten 'plain'; did you mean 'plane'"):
        light.flatten(np.zeros((4, 4, 3), np.float32), "plain")
