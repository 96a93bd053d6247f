"""The cellular automaton, step by step in NumPy and SciPy."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors, generators, types

AUTOMATON = importlib.import_module("texjax.generators.nca")  # whose name is that of its function
perceive = jax.jit(AUTOMATON.perceive)
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # to the right
LAPLACIAN = np.array([[1, 2, 1], [2, -12, 2], [1, 2, 1]])


def perceived(cells: np.ndarray) -> np.ndarray:
    """[h, w, c] -> [h, w, 4 c], by filters over opposite edges."""
    filtered = [scipy.ndimage.correlate(cells, k[..., None], mode="wrap") for k in (SOBEL, SOBEL.T, LAPLACIAN)]
    return np.concatenate([cells, *filtered], axis=-1)


@given(size=st.sampled_from([(3, 3), (7, 4), (1, 5)]), seed=st.integers(0, 99))
def test_cells_see_what_the_filters_of_the_paper_see(size: tuple[int, int], seed: int):
    cells = np.random.default_rng(seed).standard_normal((2, *size, 3)).astype(np.float32)
    expected = np.stack([perceived(x.astype(np.float64)) for x in cells])
    np.testing.assert_allclose(perceive(jnp.asarray(cells)), expected, rtol=1e-5, atol=1e-5)


def weights_of(steps: int, seed: int = 0) -> tuple[types.Generator, dict[str, Any], dict[str, np.ndarray]]:
    """An automaton of two sources, with 4 channels and 6 rules, and random parameters, also as float64."""
    generator, rng = generators.nca(3, 2, steps=steps, cells=4, hidden=6), np.random.default_rng(seed)
    params = {
        name: 0.1 * rng.standard_normal(x.shape) for name, x in generator.init(jax.random.key(0))["params"].items()
    }
    return generator, {"params": {name: jnp.asarray(x, jnp.float32) for name, x in params.items()}}, params


@pytest.mark.parametrize("steps", [1, 4, 35])
def test_equals_the_steps_in_numpy(steps: int):
    """Bit k of a cell's words, the lowest first, says whether it acts in step k; 35 steps need a second word."""
    generator, weights, params = weights_of(steps)
    words = np.random.default_rng(1).integers(0, 2**32, (2, 6, 9, -(-steps // 32)), np.uint32)
    codes = np.array([[1.0, 0.0], [0.25, 0.75]])
    images = jax.jit(generator.apply)(weights, jnp.asarray(words), jnp.asarray(codes, jnp.float32))
    for image, code, bits in zip(
        images, codes, np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little"), strict=True
    ):
        state = np.zeros((6, 9, 4))
        for step in range(steps):
            rules = np.maximum(perceived(state) @ params["seen"] + code @ params["offsets"], 0)
            state = state + bits[..., step, None] * (rules @ params["change"])
        assert state[..., :3].std() > 1e-3
        np.testing.assert_allclose(image, state[..., :3] + 0.5, rtol=1e-5, atol=1e-5 * np.abs(state).max())


def test_there_are_as_many_words_as_steps_need():
    window = types.Window(0, 0, 5, 6, (5, 6))
    for steps, words in ((1, 1), (32, 1), (33, 2), (96, 3)):
        draw: Any = generators.nca(3, 1, steps=steps).draw
        drawn = jax.eval_shape(lambda key, draw=draw: draw(key, window), jax.random.key(0))
        assert drawn.shape == (5, 6, words)


def test_a_new_automaton_is_gray_and_can_learn():
    """W is 0 at first, as in the paper; its slope is not, even though all cells are."""
    generator = generators.nca(3, 1, steps=3)
    weights = jax.jit(generator.init)(jax.random.key(0))
    assert {name: x.shape for name, x in weights["params"].items()} == {
        "seen": (48, 96),
        "offsets": (1, 96),
        "change": (96, 12),
    }
    words, codes = jnp.full((1, 4, 4, 1), 7, jnp.uint32), jnp.ones((1, 1))
    np.testing.assert_array_equal(generator.apply(weights, words, codes), np.full((1, 4, 4, 3), 0.5))
    value = jax.jit(lambda params: generator.apply({"params": params}, words, codes).sum())
    slope = jax.grad(value)(weights["params"])
    # Of 16 cells that act in three steps, as relu(b) goes to each of the image's channels.
    expected = 3 * 16 * np.maximum(weights["params"]["offsets"], 0).T * (np.arange(12) < 3)
    np.testing.assert_allclose(slope["change"], expected, rtol=1e-5)
    assert expected.max() > 1


def test_what_is_farther_away_than_there_are_steps_has_no_influence():
    """All of the neighbors are seen, and nothing else, in each step."""
    steps = 3
    generator, weights, _ = weights_of(steps)
    words, codes = np.full((1, 15, 15, 1), 2**32 - 1, np.uint32), jnp.array([[1.0, 0.0]])
    moved, apply = words.copy(), jax.jit(generator.apply)
    moved[0, 7, 7] -= 1  # it does not act in the first step
    images = [np.asarray(apply(weights, jnp.asarray(x), codes)) for x in (words, moved)]
    differs = np.zeros((15, 15), bool)
    differs[7 - steps + 1 : 7 + steps, 7 - steps + 1 : 7 + steps] = True  # what it did is seen from the second step on
    np.testing.assert_array_equal(np.abs(images[0] - images[1]).max((0, 3)) > 0, differs)
    assert generator.halo == steps and generator.multiple == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, r"generator.steps is 0; give a whole number from 1 to 512"),
        ({"cells": 2}, r"generator.cells is 2, .* give at least 3"),
        ({"cells": 0}, r"generator.cells is 0"),
        ({"hidden": 0}, r"generator.hidden is 0"),
    ],
)
def test_bad_settings_are_refused(wrong: dict[str, Any], message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        generators.nca(3, 1, **wrong)
