"""Optimizers against SciPy's L-BFGS-B on hard problems, and where a line search must fail."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from texjax import errors, optimizers
from texjax.synthesis import loop, steps

SHAPE = (1, 4, 4, 3)
SEARCHING = ("lbfgs", "lbfgsb", "optax_lbfgs")
MIX = np.linalg.qr(np.random.default_rng(0).standard_normal((48, 48)))[0]
CURVATURE = np.logspace(0, 3, 48)
WANTED = np.random.default_rng(1).uniform(0.3, 0.7, 48)


def quadratic(x: Any, mix: Any) -> Any:
    """|sqrt(D) Q (x - w)|^2, with condition number 1000 and axes rotated by Q."""
    return (CURVATURE.astype(x.dtype) * (mix @ (x - WANTED.astype(x.dtype))) ** 2).sum()


def rosenbrock(x: Any, mix: Any) -> Any:
    """The chain sum_i 100 (y_{i+1} - y_i^2)^2 + (1 - y_i)^2 with its minimum, y = 1, at x = 0.5."""
    y = 2 * x
    return (100 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2).sum()


def run(minimizer, images, count: int, *args: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(images [count + 1, ...], metrics [count + 1]); the first ones are those of the start."""

    @steps.compiled
    def go(images: jax.Array, *args: Any) -> Any:
        def body(state: Any, _: None) -> Any:
            state = minimizer.step(state, *args)
            return state, minimizer.read(state)

        state = minimizer.init(images, *args)
        after_steps = jax.lax.scan(body, state, None, count)[1]
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), minimizer.read(state), after_steps)

    return jax.device_get(go(jnp.asarray(images), *args))


# The factor is the most that the loss may be, over SciPy's after as many iterations. jaxopt's L-BFGS-B is known to be
# slower.
@pytest.mark.parametrize(
    ("name", "problem", "factor"),
    [
        ("lbfgs", quadratic, 3),
        ("lbfgs", rosenbrock, 3),
        ("optax_lbfgs", quadratic, 3),
        pytest.param("optax_lbfgs", rosenbrock, 3, marks=pytest.mark.slow),
        pytest.param("lbfgsb", quadratic, 30, marks=pytest.mark.slow),
        pytest.param("lbfgsb", rosenbrock, 30, marks=pytest.mark.slow),
    ],
)
def test_is_about_as_good_as_scipy(name: str, problem, factor: float):
    steps = 60

    def objective(images: jax.Array, mix: jax.Array) -> Any:
        value = problem(images.reshape(-1), mix)
        return value, {"all": value}

    start = np.full(SHAPE, 0.2, np.float32)
    images, metrics = run(getattr(optimizers, name)(objective), start, steps, jnp.asarray(MIX, jnp.float32))
    losses = [problem(image.astype(np.float64).reshape(-1), MIX) for image in images]
    np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-3, atol=1e-5 * losses[0])
    options = {"maxiter": steps, "maxcor": 10, "ftol": 0, "gtol": 0}
    start = start.reshape(-1).astype(np.float64)
    best = scipy.optimize.minimize(lambda x: problem(x, MIX), start, method="L-BFGS-B", options=options, tol=0).fun
    # float32 ends about seven digits below where it starts.
    assert losses[-1] < factor * best + 1e-6 * losses[0]
    assert losses[-1] < 0.2 * losses[0]


@jax.custom_vjp
def lying(x: jax.Array, lie: jax.Array) -> jax.Array:
    """sum_i (x - 0.5)^2, whose gradient points the wrong way where `lie` is 1."""
    return ((x - 0.5) ** 2).sum()


lying.defvjp(
    lambda x, lie: (lying(x, lie), (x, lie)),
    lambda saved, cotangent: (cotangent * 2 * (saved[0] - 0.5) * (1 - 2 * saved[1]), jnp.zeros_like(saved[1])),
)


def lying_objective(images: jax.Array, lie: jax.Array) -> Any:
    value = lying(images, lie)
    return value, {"all": value}


START = np.random.default_rng(3).uniform(0.2, 0.8, SHAPE).astype(np.float32)


@pytest.mark.parametrize("name", SEARCHING)
def test_failed_line_searches_are_reported_undone_and_overcome(name: str):
    minimizer = getattr(optimizers, name)(lying_objective, range="none")
    lies = np.array([0] * 2 + [1] * 3 + [0] * 12, np.float32)

    @steps.compiled
    def go(images: jax.Array) -> Any:
        def body(state: Any, lie: jax.Array) -> Any:
            state = minimizer.step(state, lie)
            return state, minimizer.read(state)

        return jax.lax.scan(body, minimizer.init(images, lies[0]), jnp.asarray(lies))[1]

    images, metrics = jax.device_get(go(jnp.asarray(START)))
    losses = ((images.astype(np.float64) - 0.5) ** 2).sum((1, 2, 3, 4))
    np.testing.assert_allclose(metrics["loss"], losses, rtol=1e-4, atol=1e-9)
    assert np.isfinite(metrics["gradient"]).all()
    assert (np.diff(metrics["evaluations"]) > 0).all()
    # The first step of the lie still follows the gradient before it, which is right.
    assert metrics["failed"][3:5].all()
    assert (losses[2:5] <= losses[1] * (1 + 1e-6)).all()
    np.testing.assert_allclose(images[-1], 0.5, atol=1e-3)


# Not with optax's L-BFGS, which scales its step by the negative curvature here and so goes downhill all the same.
def test_iterate_stops_after_patience_failures():
    program = steps.program(optimizers.lbfgs(lying_objective, range="none"), 3)
    keys, args = jax.random.split(jax.random.key(0), 1), (jnp.float32(1),)
    iterates = list(loop.iterate(program, jnp.asarray(START)[None], keys, args, max_iter=60, save_every=3, patience=5))
    assert [iterate.step for iterate in iterates] == [0, 3, 6]
    assert not iterates[0].metrics["failed"].any()
    assert all(iterate.metrics["failed"].all() for iterate in iterates[1:])
    assert ((iterates[-1].images - 0.5) ** 2).sum() <= ((START - 0.5) ** 2).sum() * (1 + 1e-6)


def barrier(images: jax.Array, wanted: jax.Array) -> Any:
    """sum_i (x - w)^2 - log(x - 0.1) / 1000, which is NaN or infinite from 0.1 down, where the first gradient leads."""
    value = ((images - wanted) ** 2 - jnp.log(images - 0.1) / 1000).sum()
    return value, {"all": value}


@pytest.mark.parametrize("name", ["lbfgs", "optax_lbfgs", pytest.param("lbfgsb", marks=pytest.mark.slow)])
def test_line_searches_step_back_from_nan(name: str):
    minimizer = getattr(optimizers, name)(barrier, range="none")
    images, metrics = run(minimizer, np.full(SHAPE, 0.5, np.float32), 40, jnp.full(SHAPE, 0.1))
    assert np.isfinite(metrics["loss"]).all()
    assert images.min() > 0.1
    assert metrics["loss"].max() == metrics["loss"][0]
    # At the minimum 2 (x - 0.1) = 1 / (1000 (x - 0.1)).
    np.testing.assert_allclose(images[-1], 0.1 + np.sqrt(1 / 2000), atol=2e-3)


def test_adam_takes_the_first_step_of_its_paper():
    # With the bias corrections the first step has the length of the learning rate, against the gradient's sign.
    minimizer = optimizers.adam(lying_objective, learning_rate=0.03, range="none")
    images, metrics = run(minimizer, START, 1, jnp.float32(0))
    np.testing.assert_allclose(images[1], START - 0.03 * np.sign(START - 0.5), atol=1e-6)
    assert not metrics["failed"].any()
    assert metrics["evaluations"].tolist() == [1, 2]


@pytest.mark.parametrize("name", SEARCHING)
@pytest.mark.parametrize("setting", ["history_size", "max_linesearch"])
def test_counts_are_whole_numbers_from_1(name: str, setting: str):
    for value in (0, -1, True):
        sentence = rf"^optimizer\.{setting} is {value}; give a whole number from 1\.$"
        with pytest.raises(errors.TexjaxError, match=sentence):
            getattr(optimizers, name)(lying_objective, **{setting: value})
