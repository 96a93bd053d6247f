"""Directions against loops over pixels in NumPy, and against stripes whose angle is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax.losses import directions

compiled = jax.jit(directions.directions, static_argnums=1)


def by_loops(features: np.ndarray, window: int) -> np.ndarray:
    """The eigenvector of each structure tensor, times the share by which its eigenvalue leads."""
    height, width, channels = features.shape
    down, right = np.gradient(features, axis=(0, 1))
    result = np.zeros((height, width, 2))
    reach = window // 2
    for y in range(height):
        for x in range(width):
            tensor = np.zeros((2, 2))
            for row in np.clip(range(y - reach, y + reach + 1), 0, height - 1):
                for column in np.clip(range(x - reach, x + reach + 1), 0, width - 1):
                    for c in range(channels):
                        change = np.array([right[row, column, c], down[row, column, c]])
                        tensor += np.outer(change, change)
            (least, most), vectors = np.linalg.eigh(tensor)
            angle = np.arctan2(vectors[1, 1], vectors[0, 1])
            if most > 0:
                result[y, x] = (most - least) / (most + least) * np.array([np.cos(2 * angle), np.sin(2 * angle)])
    return result


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 3), st.sampled_from([1, 3, 5]), st.integers(0, 99))
def test_equals_loops(height, width, channels, window, seed):
    features = np.random.default_rng(seed).standard_normal((height, width, channels)).astype(np.float32)
    np.testing.assert_allclose(compiled(features, window), by_loops(features, window), atol=2e-4)


@pytest.mark.parametrize("angle", [0, 20, 45, 90, 135, 170])
def test_stripes_have_their_direction(angle):
    """The values change along the angle, and the stripes run across it."""
    y, x = np.mgrid[:24, :24].astype(np.float32)
    radians = np.deg2rad(angle)
    stripes = np.sin(0.5 * (np.cos(radians) * x + np.sin(radians) * y))[..., None]
    wanted = [np.cos(2 * radians), np.sin(2 * radians)]
    for features in (stripes, -stripes, 100 + 3 * stripes):
        np.testing.assert_allclose(compiled(features, 5)[8:16, 8:16], np.broadcast_to(wanted, (8, 8, 2)), atol=0.03)


def test_flat_features_have_no_direction():
    np.testing.assert_array_equal(compiled(jnp.full((5, 6, 2), 0.3), 9), np.zeros((5, 6, 2)))
