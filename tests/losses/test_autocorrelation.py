"""Autocorrelations against sums over pairs of pixels, written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import losses, types

C = 2
LOSS = losses.autocorrelation()


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C]."""
    return np.random.default_rng(seed).standard_normal((height, width, C)).astype(np.float32) + 0.5


def views(*features: np.ndarray, weight: float = 1.0) -> list[types.View]:
    return [types.View(0, "conv1_1", weight, jnp.asarray(np.stack(features)))]


def unbiased(features: np.ndarray, down: int, right: int) -> np.ndarray:
    """[C], the mean product of pixels at a lag, over all pairs that exist."""
    height, width = features.shape[:2]
    rows = [y for y in range(height) if 0 <= y + down < height]
    columns = [x for x in range(width) if 0 <= x + right < width]
    return np.mean([features[y, x] * features[y + down, x + right] for y in rows for x in columns], axis=0)


def circular(features: np.ndarray, down: int, right: int) -> np.ndarray:
    return (features * np.roll(features, (-down, -right), (0, 1))).mean((0, 1))


def expected(image: np.ndarray, *sources: np.ndarray) -> float:
    image, wide = image.astype(np.float64), [source.astype(np.float64) for source in sources]
    mean = np.mean([source.mean((0, 1)) for source in wide], axis=0)
    down, right = (
        min([(image.shape[axis] - 1) // 2, *(source.shape[axis] // 2 for source in wide)]) for axis in (0, 1)
    )
    lags = [(i, j) for i in range(-down, down + 1) for j in range(-right, right + 1)]
    target = {lag: np.mean([unbiased(s - s.mean((0, 1)), *lag) for s in wide], axis=0) for lag in lags}
    errors = [(circular(image - mean, *lag) - target[lag]) / target[0, 0] for lag in lags]
    energy = [target[lag] / target[0, 0] for lag in lags]
    return float(np.sum(np.square(errors)) / np.sum(np.square(energy)))


@settings(max_examples=5)
@given(
    sides=st.lists(st.tuples(st.integers(2, 7), st.integers(2, 7)), min_size=1, max_size=2),
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_equals_the_sums_over_pairs(sides, height, width, seed):
    sources = [maps(*shape, seed=seed + i) for i, shape in enumerate(sides)]
    image = maps(height, width, seed + 7)
    target = LOSS.join([LOSS.summarize(views(source)) for source in sources])
    assert float(LOSS.value(views(image, weight=2.0), target)) == pytest.approx(
        2 * expected(image, *sources), rel=2e-4, abs=1e-5
    )


def test_images_of_a_stack_are_added():
    target = LOSS.join([LOSS.summarize(views(maps(8, 8)))])
    one, other = maps(8, 8, 1), maps(8, 8, 2)
    together = LOSS.value(views(one, other), target)
    np.testing.assert_allclose(together, LOSS.value(views(one), target) + LOSS.value(views(other), target), rtol=1e-6)


def test_a_shifted_output_is_as_good():
    target = LOSS.join([LOSS.summarize(views(maps(9, 8)))])
    image = maps(12, 10, 3)
    value, gradient = jax.value_and_grad(lambda x: LOSS.value([views(image)[0]._replace(features=x[None])], target))(
        jnp.asarray(image)
    )
    rolled = LOSS.value(views(np.roll(image, (3, 4), (0, 1))), target)
    np.testing.assert_allclose(rolled, value, rtol=1e-5)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_stripes_know_their_period():
    """A row of stripes with the period 4 is nearer to longer stripes of that period than to those of period 6."""

    def stripes(period: int, width: int) -> np.ndarray:
        row = np.cos(2 * np.pi * np.arange(width) / period)[None, :, None]
        return np.broadcast_to(row, (12, width, C)).astype(np.float32)

    target = LOSS.join([LOSS.summarize(views(stripes(4, 20)))])
    same, other = (float(LOSS.value(views(stripes(period, 24)), target)) for period in (4, 6))
    assert same < 1e-3 and other > 0.1


def test_constant_channels_are_no_problem():
    flat = np.full((6, 6, C), 0.3, np.float32)
    target = LOSS.join([LOSS.summarize(views(flat))])
    assert float(LOSS.value(views(flat), target)) == pytest.approx(0, abs=1e-9)
    gradient = jax.grad(lambda x: LOSS.value([views(flat)[0]._replace(features=x)], target))(jnp.asarray(flat)[None])
    assert np.isfinite(gradient).all()


def test_it_does_not_add_over_tiles():
    assert LOSS.additive is None and LOSS.least == 2
