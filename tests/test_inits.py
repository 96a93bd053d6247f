"""Starts: the moments of their noise, by statistics, and where their keys show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from texjax import inits

SHAPE = (60, 80)


def sources() -> list[jax.Array]:
    """Two of other sizes than the output, of one color each."""
    return [jnp.broadcast_to(jnp.array(color), (*size, 3)) for color, size in (((0.2, 0.4, 0.9), (5, 7)),)] + [
        jnp.broadcast_to(jnp.array((0.4, 0.4, 0.1)), (9, 3, 3))
    ]


CASES = {
    # The sources' mean colors count the same: ([0.2, 0.4, 0.9] + [0.4, 0.4, 0.1]) / 2.
    "mean_color": (lambda key: inits.mean_color(key, SHAPE, sources(), deviation=0.05), (0.3, 0.4, 0.5), 0.05),
    "noise": (lambda key: inits.noise(key, SHAPE, sources(), mean=0.25, deviation=0.1), (0.25, 0.25, 0.25), 0.1),
}


def test_all_are_here():
    assert set(CASES) == set(inits.__all__)


@pytest.mark.parametrize("name", CASES)
def test_is_gaussian_about_its_color(name: str):
    make, color, deviation = CASES[name]
    image = np.asarray(make(jax.random.key(0)))
    assert image.shape == (*SHAPE, 3)
    assert image.dtype == np.float32
    # Five standard errors of a mean and of a deviation.
    n = SHAPE[0] * SHAPE[1]
    np.testing.assert_allclose(image.mean((0, 1)), color, atol=5 * deviation / np.sqrt(n), rtol=0)
    np.testing.assert_allclose(image.std((0, 1)), deviation, rtol=5 / np.sqrt(2 * n))
    standard = (image - np.array(color)) / deviation
    assert scipy.stats.kstest(standard.ravel(), "norm").pvalue > 1e-4
    # White: neighbors and channels know nothing of each other.
    for a, b in (
        (standard[1:], standard[:-1]),
        (standard[:, 1:], standard[:, :-1]),
        (standard[..., 1:], standard[..., :-1]),
    ):
        assert abs((a * b).mean()) < 5 / np.sqrt(a.size)


@pytest.mark.parametrize("name", CASES)
def test_the_key_alone_decides(name: str):
    make = CASES[name][0]
    first, again, other = (np.asarray(make(jax.random.key(seed))) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05
