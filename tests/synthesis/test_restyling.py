"""Photographs of any size through a generator, which is a stranger whose results are worked out by hand."""

import numpy as np
import pytest

from texjax import types
from texjax.optimizers import ranges
from texjax.synthesis import restyling


def apply(weights, photos, codes):
    """Each square of 4 x 4 pixels takes the color of its last pixel, times a weight of the style."""
    last = photos[:, 3::4, 3::4].repeat(4, 1).repeat(4, 2)
    return last * (codes @ weights)[:, None, None]


# Only `apply` is called.
STRANGER = types.Generator(apply, None, apply, apply, multiple=4)


@pytest.mark.parametrize("shape", [(8, 12), (7, 9), (1, 2)])
def test_photographs_of_any_size(shape):
    """What is missing to a multiple of 4 is mirrored about the last pixel, which here is never reached from outside."""
    photo = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    weights, code = np.array([[0.5], [2.0]], np.float32), np.array([0.75, 0.25], np.float32)
    result = restyling.restyle(STRANGER, ranges.RANGES["none"], weights, code, photo)
    # Row and column, mirrored to and fro, of the last pixel of each square.
    rows, columns = (mirrored(side)[np.arange(side) // 4 * 4 + 3] for side in shape)
    expected = photo[rows][:, columns] * (0.75 * 0.5 + 0.25 * 2)
    assert result.shape == photo.shape
    np.testing.assert_allclose(result, expected.clip(0, 1), rtol=1e-6)


def mirrored(side: int) -> np.ndarray:
    """The pixel within the side at each place from 0: 0 1 2 1 0 1 2 ... for a side of 3."""
    period = max(1, 2 * side - 2)
    places = np.arange(side + 8) % period
    return np.minimum(places, period - places)


def test_variables_become_images():
    photo = np.full((4, 4, 3), 0.25, np.float32)
    result = restyling.restyle(
        STRANGER, ranges.RANGES["sigmoid"], np.array([[4.0]], np.float32), np.ones(1, np.float32), photo
    )
    np.testing.assert_allclose(result, np.full((4, 4, 3), 1 / (1 + np.exp(-1))), rtol=1e-6)
