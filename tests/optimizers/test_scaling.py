"""Scaling: a constant factor on the objective changes no image, and the metrics are those of the unscaled loss."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import optimizers
from texjax.optimizers import ranges, scaling
from texjax.synthesis import steps

SHAPE = (1, 4, 5, 3)
STEPS = 8
WANTED = np.random.default_rng(0).uniform(-0.3, 1.3, SHAPE).astype(np.float32)
START = np.random.default_rng(1).uniform(0.2, 0.8, SHAPE).astype(np.float32)
FACTORS = (1e-8, 1.0, 1e8)


def objective(images: jax.Array, wanted: jax.Array, factor: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Factor sum_i (d_i^2 + d_i^4) with d = x - wanted."""
    square, fourth = (factor * ((images - wanted) ** power).sum() for power in (2, 4))
    return square + fourth, {"square": square, "fourth": fourth}


def numpy_objective(images: np.ndarray) -> dict[str, float]:
    difference = images.astype(np.float64) - WANTED
    return {"square": float((difference**2).sum()), "fourth": float((difference**4).sum())}


def numpy_gradient(images: np.ndarray) -> np.ndarray:
    difference = images.astype(np.float64) - WANTED
    return 2 * difference + 4 * difference**3


@pytest.fixture(scope="module", params=optimizers.__all__)
def run(request) -> Any:
    """(wanted, factor) -> (images [steps, ...], metrics, scale), compiled as in a real run; START comes first."""
    minimizer = getattr(optimizers, request.param)(objective)

    def run(images: jax.Array, wanted: jax.Array, factor: jax.Array) -> Any:
        def body(state: Any, _: None) -> Any:
            return minimizer.step(state, wanted, factor), minimizer.read(state)

        state, out = jax.lax.scan(body, minimizer.init(images, wanted, factor), None, STEPS)
        return *out, state.scale

    compiled = steps.compiled(run)
    return lambda wanted, factor: jax.device_get(compiled(START, wanted, jnp.float32(factor)))


@pytest.fixture(scope="module")
def runs(run) -> list[Any]:
    """The run with each of FACTORS."""
    return [run(WANTED, factor) for factor in FACTORS]


def test_images_do_not_depend_on_the_factor(runs):
    (low, *_), (middle, *_), (high, *_) = runs
    assert np.abs(middle[-1] - START).max() > 0.1
    np.testing.assert_allclose(low, middle, atol=1e-3)
    np.testing.assert_allclose(high, middle, atol=1e-3)


def test_the_first_gradient_is_scaled(runs):
    rms = np.sqrt(np.mean(numpy_gradient(START) ** 2))
    for factor, (_, _, scale) in zip(FACTORS, runs, strict=True):
        assert scale * factor * rms == pytest.approx(0.45, rel=1e-5)


def test_the_reported_loss_is_unscaled(runs):
    for factor, (images, metrics, _) in zip(FACTORS, runs, strict=True):
        for i, image in enumerate(images):
            want = numpy_objective(image)
            assert metrics["terms"]["square"][i] == pytest.approx(factor * want["square"], rel=1e-4)
            assert metrics["terms"]["fourth"][i] == pytest.approx(factor * want["fourth"], rel=1e-4)
            assert metrics["loss"][i] == pytest.approx(factor * sum(want.values()), rel=1e-4)


def test_the_reported_gradient_is_unscaled(runs):
    # At the start neither a penalty nor a projection takes part.
    want = np.linalg.norm(numpy_gradient(START))
    for factor, (_, metrics, _) in zip(FACTORS, runs, strict=True):
        assert metrics["gradient"][0] == pytest.approx(factor * want, rel=1e-4)


def test_a_vanishing_gradient_changes_nothing(run):
    images, metrics, _ = run(START, 1)
    np.testing.assert_array_equal(images, np.broadcast_to(START, images.shape))
    assert not metrics["loss"].any() and not metrics["gradient"].any()


@settings(max_examples=20)
@given(exponent=st.integers(-35, 35), seed=st.integers(0, 1000))
def test_root_mean_squares_of_any_size(exponent: int, seed: int):
    # float32 cannot hold the squares of most of these numbers.
    x = (np.random.default_rng(seed).standard_normal((1, 2, 2, 3)) * 10.0**exponent).astype(np.float32)
    want = np.sqrt(np.mean(x.astype(np.float64) ** 2))
    assert float(scaling.rms(jnp.asarray(x))) == pytest.approx(want, rel=1e-5)
    if exponent > -30:  # otherwise the factor overflows
        assert float(scaling.first_scale(jnp.asarray(x))) == pytest.approx(0.45 / want, rel=1e-5)


def test_scaled_value_and_gradient_by_hand():
    evaluate = scaling.scaled(objective, ranges.RANGES["penalty"])
    x = START * 2 - 0.5
    (value, evaluation), gradient = evaluate(jnp.asarray(x), jnp.float32(3), jnp.asarray(WANTED), jnp.float32(2))
    outside = x - np.clip(x, 0, 1)
    unscaled = 2 * sum(numpy_objective(x).values())
    assert float(value) == pytest.approx(3 * unscaled + 0.5 * (outside**2).sum(), rel=1e-5)
    assert float(evaluation.total) == pytest.approx(unscaled, rel=1e-5)
    np.testing.assert_allclose(gradient, 6 * numpy_gradient(x) + outside, rtol=1e-4, atol=1e-5)
