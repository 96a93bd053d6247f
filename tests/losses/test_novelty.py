"""Novelty against Gram matrices and their products written out in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import losses

C = 4


def maps(count: int, seed: int = 0) -> np.ndarray:
    """Features [n, 6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((count, 6, 5, C)).astype(np.float32)


def novelty(features: np.ndarray, mul: float) -> float:
    """sum_ij (<G_i, G_j> - mul [i = j])^2, with G = F'F / pixels / channels."""
    grams = [np.einsum("hwi,hwj->ij", f, f) / (6 * 5 * C) for f in features.astype(np.float64)]
    return sum((np.sum(a * b) - mul * (i == j)) ** 2 for i, a in enumerate(grams) for j, b in enumerate(grams))


def value(loss, features: np.ndarray) -> float:
    target = loss.join([loss.summarize(jnp.asarray(features[0]), None)])
    return float(loss.distance(loss.measure(jnp.asarray(features), target, None), target))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("mul", [1.0, 0.25, 3.0])
def test_equals_the_formula(count: int, mul: float):
    assert value(losses.novelty(mul=mul), maps(count)) == pytest.approx(novelty(maps(count), mul), rel=1e-5)


def test_default_is_the_original():
    assert value(losses.novelty(), maps(3)) == pytest.approx(novelty(maps(3), 1), rel=1e-5)


def test_frames_of_different_channels_are_at_no_distance():
    """Each of two has a live channel of its own, of mean square s: one entry s / C in G, so K = (s / C)^2 I."""
    features = np.zeros((2, 6, 5, C), np.float32)
    features[0, ..., 0] = features[1, ..., 2] = 2.0
    assert value(losses.novelty(mul=(4 / C) ** 2), features) == 0
    features[1] = features[0]
    assert value(losses.novelty(mul=(4 / C) ** 2), features) == 2  # the products of one and the other


def test_sources_are_not_looked_at():
    loss = losses.novelty()
    assert loss.join([loss.summarize(jnp.asarray(maps(1, seed)[0]), None) for seed in (0, 1)]) == ()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_frames_and_pixels_does_not_matter(seed: int):
    features, rng = maps(4, seed), np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permutation(features.reshape(4, 30, C), axis=1), axis=0).reshape(features.shape)
    assert value(losses.novelty(), shuffled) == pytest.approx(value(losses.novelty(), features), rel=1e-4)


def test_mask_weighs_pixels():
    """A mask of zeros and ones leaves the statistics of the pixels at ones."""
    features, loss, mask = maps(3), losses.novelty(), np.zeros((6, 5), np.float32)
    mask[:3] = 1
    got = loss.distance(loss.measure(jnp.asarray(features), (), jnp.asarray(mask)), ())
    twice = np.concatenate([features[:, :3], features[:, :3]], axis=1)  # as many pixels as `novelty` takes
    assert float(got) == pytest.approx(novelty(twice, 1), rel=1e-5)
