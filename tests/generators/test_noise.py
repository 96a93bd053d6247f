"""Noise of windows: it is cut out of the noise of the whole picture, wherever the window lies."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import types
from texjax.generators import noise

WHOLE = (12, 20)
KEY = jax.random.key(3)
DRAWS = {"uniform": noise.uniform, "bits": noise.bits}
PLACE = st.integers(-50, 50)  # before the first pixel, within, and behind the last one
every_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


def whole(draw: Callable[..., jax.Array], key: types.PRNGKey = KEY, count: int = 2) -> np.ndarray:
    return np.asarray(draw(key, types.Window(0, 0, *WHOLE, WHOLE), count))


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def windowed(draw: Callable[..., jax.Array], top: jax.Array, left: jax.Array, height: int, width: int) -> jax.Array:
    """With a traced place, as tiles of one size have it."""
    return draw(KEY, types.Window(top, left, height, width, WHOLE), 2)


@every_draw
@given(top=PLACE, left=PLACE, size=st.sampled_from([(5, 7), (15, 33)]))
def test_a_window_is_a_part_of_the_whole(draw, top: int, left: int, size: tuple[int, int]):
    rows, columns = (np.arange(start, start + side) for start, side in zip((top, left), size, strict=True))
    expected = whole(draw)[np.ix_(rows % WHOLE[0], columns % WHOLE[1])]
    np.testing.assert_array_equal(windowed(draw, jnp.asarray(top), jnp.asarray(left), *size), expected)


@every_draw
def test_no_values_return(draw):
    """Neither at another place, nor in another channel, nor of another key."""
    values = np.stack([whole(draw), whole(draw, jax.random.key(4))])
    rows = values.reshape(-1, WHOLE[1], 2).swapaxes(1, 2).reshape(-1, WHOLE[1])
    assert len(np.unique(rows, axis=0)) == len(rows)
    columns = values[0].swapaxes(0, 1).reshape(WHOLE[1], -1)
    assert len(np.unique(columns, axis=0)) == len(columns)
    np.testing.assert_array_equal(values[0], whole(draw))


def test_uniform_noise_has_its_moments():
    """Of a uniform distribution on [-1, 1): mean 0, variance 1/3, fourth moment 1/5, within five standard errors."""
    values = np.asarray(noise.uniform(KEY, types.Window(0, 0, 50, 40, (50, 40)), 3), np.float64)
    assert values.shape == (50, 40, 3) and values.min() >= -1 and values.max() < 1
    for power, moment in ((1, 0), (2, 1 / 3), (4, 1 / 5)):
        error = (values**power).std() / values.size**0.5
        assert abs((values**power).mean() - moment) < 5 * error


def test_each_bit_is_set_in_half_of_the_words():
    words = np.asarray(noise.bits(KEY, types.Window(0, 0, 50, 40, (50, 40)), 2))
    assert words.shape == (50, 40, 2) and words.dtype == np.uint32
    each = np.unpackbits(words.view(np.uint8), axis=-1).reshape(-1, 64).mean(0)
    assert np.abs(each - 0.5).max() < 5 * 0.5 / 2000**0.5


def test_a_reduced_window_lies_at_the_same_place():
    assert noise.reduced(types.Window(8, -16, 24, 32, (40, 80)), 8) == types.Window(1, -2, 3, 4, (5, 10))
