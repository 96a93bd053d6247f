"""Range handling: formulas by hand, and the images of each optimizer where the minimum lies outside [0, 1]."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, optimizers
from texjax.optimizers import ranges
from texjax.synthesis import steps

ALL = ("none", "clip", "bounds", "sigmoid", "penalty")
POSSIBLE = {
    "lbfgs": ("none", "clip", "sigmoid", "penalty"),
    "optax_lbfgs": ("none", "clip", "sigmoid", "penalty"),
    "adam": ("none", "clip", "sigmoid", "penalty"),
    "lbfgsb": ("none", "bounds"),
}
# optax_lbfgs and adam share the code that keeps the range, and adam compiles faster.
MINIMIZED = [
    (name, handling)
    for name, handlings in POSSIBLE.items()
    for handling in handlings
    if name != "optax_lbfgs" or handling in ("sigmoid", "penalty")
]
STEPS = {"lbfgs": 25, "optax_lbfgs": 25, "adam": 300, "lbfgsb": 25}
# Half of the minimum's values lie outside [0, 1], by up to 1.
WANTED = np.linspace(-1, 2, 48, dtype=np.float32).reshape(1, 4, 4, 3)


def objective(images: jax.Array, wanted: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """A quadratic whose curvatures differ tenfold: sum_i c_i (x_i - w_i)^2, c from 1 to 10."""
    curvature = jnp.linspace(1, 10, images.size, dtype=images.dtype).reshape(images.shape)
    value = (curvature * (images - wanted) ** 2).sum()
    return value, {"all": value}


def minimize(name: str, handling: str) -> tuple[np.ndarray, dict[str, Any], np.ndarray]:
    """(last images, last metrics, images after each step)."""
    minimizer = getattr(optimizers, name)(objective, range=handling)

    def run(images: jax.Array, wanted: jax.Array) -> Any:
        def body(state: Any, _: None) -> Any:
            state = minimizer.step(state, wanted)
            return state, minimizer.read(state)

        _, (images, metrics) = jax.lax.scan(body, minimizer.init(images, wanted), None, STEPS[name])
        return images, metrics

    compiled = steps.compiled(run)  # with the options of a real run
    images, metrics = jax.device_get(compiled(jnp.full(WANTED.shape, 0.4), jnp.asarray(WANTED)))
    return images[-1], {key: value[-1] for key, value in metrics.items() if key != "terms"}, images


@pytest.mark.parametrize(("name", "handling"), MINIMIZED)
def test_images_stay_where_they_should(name: str, handling: str):
    last, metrics, images = minimize(name, handling)
    nearest = np.clip(WANTED, 0, 1)
    assert metrics["low"] == last.min()
    assert metrics["high"] == last.max()
    if handling == "none":
        np.testing.assert_allclose(last, WANTED, atol=0.05)
    elif handling in ("clip", "bounds"):
        assert images.min() >= 0
        assert images.max() <= 1
        np.testing.assert_allclose(last, nearest, atol=0.02)
    elif handling == "sigmoid":
        assert images.min() >= 0
        assert images.max() <= 1
        inside = np.abs(WANTED - 0.5) < 0.3
        np.testing.assert_allclose(last[inside], nearest[inside], atol=0.1)
        assert last[WANTED < 0].max() < 0.2
        assert last[WANTED > 1].min() > 0.8
    else:
        # Outside a bound b the penalty adds (x - b)^2 / 2 to the scaled objective s c (x - w)^2, where s gives the
        # first gradient, 2 s c (0.4 - w), a root mean square of 0.45. The sum is least at (2 s c w + b) / (2 s c + 1).
        curvature = np.linspace(1, 10, 48).reshape(WANTED.shape)
        s = 0.45 / np.sqrt(np.mean((2 * curvature * (0.4 - WANTED)) ** 2))
        want = np.where(nearest == WANTED, WANTED, (2 * s * curvature * WANTED + nearest) / (2 * s * curvature + 1))
        np.testing.assert_allclose(last, want, atol=0.02)
        assert np.abs(last - np.clip(last, 0, 1)).max() < 0.75  # 1 without a penalty


def test_every_range_handling_and_optimizer_is_tested():
    assert set(ranges.RANGES) == set(ALL)
    assert set(POSSIBLE) == set(optimizers.__all__)


@pytest.mark.parametrize(
    ("name", "handling"), [(name, handling) for name in POSSIBLE for handling in ALL if handling not in POSSIBLE[name]]
)
def test_impossible_range_handlings_are_refused(name: str, handling: str):
    with pytest.raises(errors.TexjaxError, match=rf"'{handling}' is not possible with the optimizer {name}.*none"):
        getattr(optimizers, name)(objective, range=handling)


@pytest.mark.parametrize("name", POSSIBLE)
def test_unknown_range_handlings_are_refused(name: str):
    with pytest.raises(errors.TexjaxError, match="did you mean 'penalty'"):
        getattr(optimizers, name)(objective, range="penalti")


def test_formulas():
    x = jnp.asarray([-0.5, 0.0, 0.25, 1.0, 1.75, 0.5], jnp.float32).reshape(1, 1, 2, 3)
    clipped = np.array([0, 0, 0.25, 1, 1, 0.5], np.float32).reshape(1, 1, 2, 3)
    # 0.5 (0.5^2 + 0.75^2)
    assert ranges.RANGES["penalty"].penalty(x) == 0.40625
    np.testing.assert_array_equal(jax.grad(ranges.RANGES["penalty"].penalty)(x), np.asarray(x) - clipped)
    for name in ("clip", "bounds", "penalty"):
        np.testing.assert_array_equal(ranges.RANGES[name].to_variables(x), clipped)
    sigmoid = ranges.RANGES["sigmoid"]
    # logit(p) = log(p / (1 - p)), with p clipped to [0.001, 0.999].
    p = np.clip(np.asarray(x, np.float64), 0.001, 0.999)
    np.testing.assert_allclose(sigmoid.to_variables(x), np.log(p / (1 - p)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sigmoid.to_images(sigmoid.to_variables(x)), p, atol=1e-6)
    for name in ("none", "clip", "bounds", "sigmoid"):
        assert ranges.RANGES[name].penalty(x) == 0


@pytest.mark.parametrize("name", ALL)
def test_starts_are_kept_and_have_no_penalty(name: str):
    handling = ranges.RANGES[name]
    x = jnp.asarray(np.random.default_rng(0).uniform(0.01, 0.99, (2, 3, 4, 3)), jnp.float32)
    np.testing.assert_allclose(handling.to_images(handling.to_variables(x)), x, atol=1e-6)
    assert handling.penalty(handling.to_variables(3 * x - 1)) == 0 or name == "none"
