"""The diversity term against loops over pairs in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import losses, types

LOSS = losses.diversity()
C = 4


def maps(count: int, seed: int = 0) -> np.ndarray:
    """Features [n, 6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((count, 6, 5, C)).astype(np.float32)


def diversity(features: np.ndarray) -> float:
    """- sum_i mean |F_i - F_j|, where j follows i on a circle."""
    pairs = [(i, (i + 1) % len(features)) for i in range(len(features))]
    return -sum(np.abs(np.float64(features[i]) - features[j]).mean() for i, j in pairs)


def view(features, weight: float = 1.0, mask=None) -> types.View:
    return types.View(0, "conv4_2", weight, jnp.asarray(features), mask)


def value(*views: types.View) -> float:
    source = [place._replace(features=place.features[:1]) for place in views]
    return float(LOSS.value(views, LOSS.join([LOSS.summarize(source)])))


@given(count=st.sampled_from([2, 5]), seed=st.integers(0, 99))
def test_equals_the_formula(count: int, seed: int):
    features = maps(count, seed)
    assert value(view(features)) == pytest.approx(diversity(features), rel=1e-5)


def test_places_add_with_their_weights():
    first, second = maps(3), maps(3, 1)[:, :4, :2]
    expected = 2 * diversity(first) + 0.5 * diversity(second)
    assert value(view(first, 2.0), view(second, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_one_image_has_no_value_and_no_slope():
    """Nor have equal images. NaN is not 0."""
    for features in (maps(1), np.repeat(maps(1), 3, axis=0)):
        found, slope = jax.value_and_grad(lambda x: LOSS.value([view(x)], [()]))(jnp.asarray(features))
        assert float(found) == 0
        np.testing.assert_array_equal(slope, np.zeros_like(features))


def test_the_share_of_a_picture_does_not_depend_on_their_number():
    """Where they alternate; in training, the value is divided by the number of pictures."""
    pair = maps(2)
    assert value(view(np.concatenate([pair] * 3))) / 6 == pytest.approx(value(view(pair)) / 2, rel=1e-5)


def test_a_step_downhill_moves_pictures_apart():
    features = jnp.asarray(maps(3))
    slope = jax.grad(lambda x: LOSS.value([view(x)], [()]))(features)
    assert diversity(np.asarray(features - 0.01 * slope)) < diversity(np.asarray(features)) - 1e-4


def test_pictures_are_compared_at_the_same_places():
    """Moved copies, whose statistics are equal, are far apart, which the statistics of `novelty` cannot see."""
    picture = maps(1)[0]
    stack = np.stack([picture, np.roll(picture, 2, axis=1)])
    assert value(view(stack)) == pytest.approx(-2 * np.abs(picture - np.roll(picture, 2, axis=1)).mean(), rel=1e-5)
    assert value(view(stack)) < -1


def test_a_mask_weighs_pixels():
    features, mask = maps(3), np.random.default_rng(1).random((6, 5)).astype(np.float32)
    pairs = ((0, 1), (1, 2), (2, 0))
    distances = [np.abs(features[i] - features[j]).mean(-1) for i, j in pairs]
    expected = -sum(np.average(distance, weights=mask) for distance in distances)
    assert value(view(features, mask=jnp.asarray(mask))) == pytest.approx(expected, rel=1e-5)


def test_sources_leave_no_target():
    assert not jax.tree.leaves(LOSS.join([LOSS.summarize([view(maps(1, seed))]) for seed in (0, 1)]))
