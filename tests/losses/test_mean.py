"""Mean features against sums written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import losses, types

C = 4


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C]."""
    return np.random.default_rng(seed).standard_normal((height, width, C)).astype(np.float32)


def mean(features: np.ndarray) -> np.ndarray:
    return np.einsum("hwc->c", features.astype(np.float64)) / (features.shape[0] * features.shape[1])


def views(features, mask=None) -> list[types.View]:
    """One place, of a stack of one image [h, w, c]."""
    return [types.View(0, "conv1_1", 1.0, jnp.asarray(features)[None], mask)]


def target_of(loss: types.Loss, *sources: np.ndarray):
    return loss.join([loss.summarize(views(source)) for source in sources])


def test_a_case_by_hand():
    # Means [2, 1] against [0, 4], two channels: (2^2 + 3^2) / (2 x 2).
    place, loss = views(jnp.array([[[1.0, 2.0], [3.0, 0.0]]])), losses.mean()
    np.testing.assert_array_equal(loss.summarize(place)[0], [2, 1])
    assert loss.value(place, [jnp.array([0.0, 4.0])]) == 13 / 4


def test_equals_the_formula_over_several_sources():
    image, sources, loss = maps(6, 5), [maps(4, 7, seed=1), maps(2, 3, seed=2)], losses.mean()
    # Each source counts the same, whatever its size.
    expected = np.sum((mean(image) - (mean(sources[0]) + mean(sources[1])) / 2) ** 2) / (2 * C)
    assert float(loss.value(views(image), target_of(loss, *sources))) == pytest.approx(expected, rel=1e-5)


def test_gradient_equals_the_formula():
    # d/dF sum_c (m - t)^2 / (2 C) = (m - t) / (P C), the same at each of the P pixels.
    image, source, loss = maps(6, 5), maps(4, 7, seed=1), losses.mean()
    target = target_of(loss, source)
    gradient = jax.grad(lambda features: loss.value(views(features), target))(jnp.asarray(image))
    expected = np.broadcast_to((mean(image) - mean(source)) / (30 * C), image.shape)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7)


def test_mask_weighs_pixels():
    image, mask = maps(6, 5), np.random.default_rng(5).random((6, 5)).astype(np.float32)
    (summary,) = losses.mean().summarize(views(image, jnp.asarray(mask)))
    np.testing.assert_allclose(summary, np.einsum("hwc,hw->c", image, mask) / mask.sum(), rtol=1e-4, atol=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 5))
def test_adds_over_any_partition(seed: int, parts: int):
    image, additive = maps(6, 5, seed), losses.mean().additive
    assert additive is not None
    owner = np.random.default_rng(seed).integers(parts, size=(6, 5))
    masks = [jnp.asarray(owner == part, jnp.float32) for part in range(parts)]
    sums = [additive.measure(views(image, mask)[0], None) for mask in masks]
    total = jax.tree.map(lambda *shares: np.sum(shares, axis=0), *sums)
    assert total["count"] == 30
    np.testing.assert_allclose(total["sum"][0] / 30, mean(image), rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_pixels_does_not_matter(seed: int):
    image = maps(6, 5)
    shuffled = np.random.default_rng(seed).permutation(image.reshape(-1, C)).reshape(5, 6, C)
    np.testing.assert_allclose(losses.mean().summarize(views(shuffled))[0], mean(image), rtol=1e-4, atol=1e-6)
