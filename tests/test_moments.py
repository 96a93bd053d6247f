"""Second moments and their gradient against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import moments, types


def features(seed: int, h: int, w: int, c: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(h, w, c)).astype(np.float32)


@given(seed=st.integers(0, 100), h=st.integers(1, 9), w=st.integers(1, 9), c=st.integers(1, 6), has_mask=st.booleans())
def test_sums_and_gradient(seed: int, h: int, w: int, c: int, has_mask: bool):
    x, rng = features(seed, h, w, c), np.random.default_rng(seed + 1)
    mask = rng.random((h, w)).astype(np.float32) * (rng.random((h, w)) < 0.7) if has_mask else None
    cotangent = rng.normal(size=(c, c)).astype(np.float32)  # not symmetric
    got, back = jax.vjp(lambda x: moments.second(x, mask if mask is None else jnp.asarray(mask)), jnp.asarray(x))
    (gradient,) = back(types.Moments(jnp.asarray(cotangent), jnp.zeros(())))
    weights = np.ones((h, w)) if mask is None else mask.astype(np.float64)
    want = np.einsum("yx,yxi,yxj->ij", weights, x.astype(np.float64), x)
    np.testing.assert_allclose(got.outer, want, rtol=1e-4, atol=1e-4)
    assert float(got.count) == pytest.approx(weights.sum(), rel=1e-5)
    by_hand = weights[..., None] * (x.astype(np.float64) @ (cotangent + cotangent.T))
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-4, atol=1e-4)


def test_a_linear_map_of_features():
    x, matrix = features(0, 7, 5, 4), np.random.default_rng(2).normal(size=(4, 9)).astype(np.float32)
    got = moments.transformed(moments.second(jnp.asarray(x)), jnp.asarray(matrix))
    want = moments.second(jnp.asarray(x @ matrix))
    np.testing.assert_allclose(got.outer, want.outer, rtol=1e-4, atol=1e-4)
    assert got.count == want.count == 35
