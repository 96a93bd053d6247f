"""The contract of generators; a new one is a new row of the table."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import generators, types

GENERATORS = {
    "nca": functools.partial(generators.nca, steps=5, cells=5, hidden=7),
    "pyramid": functools.partial(generators.pyramid, widths=(4, 5)),
}
SOURCES = 2
KEY = jax.random.key(0)


class Case(NamedTuple):
    """A generator with parameters as of some training.

    size: of whole pictures, 6 x 5 times as many pixels as `multiple`.
    apply, train: the compiled functions of the generator.
    draw: key -> noise of two whole pictures.
    """

    generator: types.Generator
    size: tuple[int, int]
    weights: Any
    apply: Any
    train: Any
    draw: Any


@functools.cache
def case_of(name: str) -> Case:
    """The parameters are drawn by NumPy, which is quick, and none is 0; statistics are those of trainings."""
    generator, rng = GENERATORS[name](3, SOURCES), np.random.default_rng(0)
    shapes = jax.eval_shape(generator.init, KEY)
    weights = jax.tree.map(lambda x: jnp.asarray(0.3 * rng.standard_normal(x.shape), x.dtype), shapes)
    if "batch_stats" in weights:
        weights["batch_stats"] = jax.tree.map(lambda x: jnp.abs(x) + 0.1, weights["batch_stats"])
    size = (6 * generator.multiple, 5 * generator.multiple)
    case = Case(generator, size, weights, jax.jit(generator.apply), jax.jit(generator.train), drawing(name, size))
    for seed in (1, 2, 3):
        _, weights = case.train(weights, case.draw(jax.random.key(seed)), jnp.eye(SOURCES))
    return case._replace(weights=weights)


def drawing(name: str, size: tuple[int, int]) -> Any:
    """The compiled key -> noise of two whole pictures."""
    draw: Any = GENERATORS[name](3, SOURCES).draw
    window = types.Window(0, 0, *size, size)
    return jax.jit(lambda key: jax.vmap(lambda key: draw(key, window))(jax.random.split(key)))


@pytest.fixture(scope="module", params=GENERATORS)
def case(request) -> Case:
    return case_of(request.param)


def codes(*share: float) -> jax.Array:
    """One row for each share of the second source."""
    return jnp.stack([1 - jnp.asarray(share), jnp.asarray(share)], axis=1)


def test_every_public_one_that_draws_noise_has_a_row():
    others = {"residual"}  # restyles photographs, and has a file of tests
    assert set(GENERATORS) == set(generators.__all__) - others


def test_parameters_are_arrays_of_floats(case: Case):
    init: Any = jax.jit(case.generator.init)
    weights = init(KEY)
    assert "params" in weights and set(weights) <= {"params", "batch_stats"}
    assert {x.dtype for x in jax.tree.leaves(weights)} == {jnp.dtype("float32")}
    first, again, other = (jax.tree.leaves(init(jax.random.key(seed))) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_pictures_are_as_large_as_their_noise(case: Case):
    images = case.apply(case.weights, case.draw(KEY), codes(0.0, 0.5))
    assert images.shape == (2, *case.size, 3) and images.dtype == jnp.float32
    assert (np.asarray(images).std((0, 1, 2)) > 0.01).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_there_are_gray_pictures(name: str):
    generator = GENERATORS[name](1, SOURCES)
    weights, inputs = jax.eval_shape(generator.init, KEY), jax.eval_shape(case_of(name).draw, KEY)
    images = jax.eval_shape(generator.apply, weights, inputs, codes(0.0, 0.5))
    assert images.shape == (2, *case_of(name).size, 1)


@pytest.mark.parametrize("name", GENERATORS)
@settings(max_examples=10)
@given(place=st.tuples(*[st.integers(-8, 8)] * 2), size=st.sampled_from([(2, 3), (7, 6)]))
def test_a_window_is_a_part_of_the_whole(name: str, place: tuple[int, int], size: tuple[int, int]):
    """At any place, over the edges too, once the halo around it is cut off."""
    case = case_of(name)
    multiple, halo = case.generator.multiple, case.generator.halo
    assert halo is not None and halo % multiple == 0
    top, left = (multiple * start for start in place)
    height, width = (multiple * side for side in size)
    images = window_of(name, jnp.asarray(top - halo), jnp.asarray(left - halo), height + 2 * halo, width + 2 * halo)
    rows, columns = (top + np.arange(height)) % case.size[0], (left + np.arange(width)) % case.size[1]
    whole = np.asarray(whole_of(name))[np.ix_(rows, columns)]
    np.testing.assert_allclose(images[halo:-halo, halo:-halo], whole, rtol=1e-5, atol=1e-5 * np.abs(whole).max())


@functools.cache
def whole_of(name: str) -> jax.Array:
    case = case_of(name)
    return case.apply(case.weights, case.draw(KEY), codes(0.3, 0.3))[0]


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def window_of(name: str, top: jax.Array, left: jax.Array, height: int, width: int) -> jax.Array:
    """The picture of a window that is drawn by itself, of the key of the whole picture."""
    case = case_of(name)
    draw: Any = case.generator.draw
    inputs = draw(jax.random.split(KEY)[0], types.Window(top, left, height, width, case.size))
    return case.apply(case.weights, jax.tree.map(lambda x: x[None], inputs), codes(0.3))[0]


def test_equal_keys_make_equal_pictures_and_others_do_not(case: Case):
    first, again, other = (
        np.asarray(case.apply(case.weights, case.draw(jax.random.key(seed)), codes(0.3, 0.3))) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    spread = first.std((1, 2)).mean()
    assert np.abs(first - other).mean() > 0.1 * spread
    assert np.abs(first[0] - first[1]).mean() > 0.1 * spread


def test_mixed_codes_make_pictures_unlike_both_ends(case: Case):
    inputs = jax.tree.map(lambda x: jnp.repeat(x[:1], 3, axis=0), case.draw(KEY))
    first, mixed, second = np.asarray(case.apply(case.weights, inputs, codes(0.0, 0.5, 1.0)))
    apart = np.abs(first - second).mean()
    assert apart > 1e-3
    assert min(np.abs(mixed - first).mean(), np.abs(mixed - second).mean()) > 0.2 * apart


def test_pictures_of_a_stack_do_not_know_of_each_other(case: Case):
    inputs = case.draw(KEY)
    together = case.apply(case.weights, inputs, codes(0.2, 0.9))
    alone = case.apply(case.weights, jax.tree.map(lambda x: x[1:], inputs), codes(0.9))
    np.testing.assert_allclose(together[1:], alone, rtol=1e-5, atol=1e-5)


def test_training_renews_nothing_but_the_statistics(case: Case):
    images, weights = case.train(case.weights, case.draw(KEY), codes(0.0, 1.0))
    assert images.shape == (2, *case.size, 3)
    assert jax.tree.map(jax.typeof, weights) == jax.tree.map(jax.typeof, case.weights)
    jax.tree.map(np.testing.assert_array_equal, weights["params"], case.weights["params"])
    for new, old in zip(*(jax.tree.leaves(x.get("batch_stats")) for x in (weights, case.weights)), strict=True):
        assert not np.array_equal(new, old)


def test_every_parameter_has_a_slope(case: Case):
    inputs = case.draw(KEY)

    def value(params: Any) -> jax.Array:
        images, _ = case.train({**case.weights, "params": params}, inputs, codes(0.1, 0.8))
        return (images**2).sum()

    slopes = jax.jit(jax.grad(value))(case.weights["params"])
    for path, slope in jax.tree_util.tree_leaves_with_path(slopes):
        assert np.isfinite(slope).all() and np.abs(slope).max() > 1e-3, path
