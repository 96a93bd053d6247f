"""The analogy loss against loops over patches in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses

C = 3


def maps(height: int, width: int, seed: int) -> np.ndarray:
    """Features [h, w, C], not negative."""
    return np.random.default_rng(seed).random((height, width, C)).astype(np.float32)


A, PRIMED, B, IMAGE = maps(6, 7, 0), maps(6, 7, 1), maps(5, 8, 2), maps(5, 8, 3)


def cut(features: np.ndarray, patch: int) -> list[tuple[slice, slice]]:
    h, w = (n - patch + 1 for n in features.shape[:2])
    return [(slice(y, y + patch), slice(x, x + patch)) for y in range(h) for x in range(w)]


def chosen(patch: int) -> list[tuple[tuple[slice, slice], np.ndarray]]:
    """Where each patch of B lies, and the patch of A' for it."""
    a, primed, b = (x.astype(np.float64) for x in (A, PRIMED, B))

    def nearest(own: np.ndarray) -> tuple[slice, slice]:
        return max(cut(A, patch), key=lambda at: (a[at] * own).sum() / np.linalg.norm(a[at]))

    return [(at, primed[nearest(b[at])]) for at in cut(B, patch)]


def averaged(patch: int) -> np.ndarray:
    total, count = np.zeros(B.shape), np.zeros(B.shape)
    for at, found in chosen(patch):
        total[at] += found
        count[at] += 1
    return total / count


@pytest.mark.parametrize("patch", [1, 3])
@pytest.mark.parametrize("full", [False, True])
def test_value_and_gradient_equal_the_formula(patch: int, full: bool):
    loss = losses.analogy(patch=patch, full=full)
    target = loss.join([loss.summarize(jnp.asarray(x), None) for x in (A, PRIMED, B)])
    value, gradient = jax.value_and_grad(lambda x: loss.distance(loss.measure(x, target, None), target))(IMAGE)
    want, slope = 0.0, np.zeros(IMAGE.shape)
    if full:
        for at, found in chosen(patch):
            want += ((IMAGE[at] - found) ** 2).sum() / patch**2
            slope[at] += 2 * (IMAGE[at] - found) / patch**2
    else:
        want, slope = ((IMAGE - averaged(patch)) ** 2).sum(), 2 * (IMAGE - averaged(patch))
    assert float(value) == pytest.approx(want, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


def test_b_like_a_becomes_a_primed():
    found = losses.analogy(patch=3).join([jnp.asarray(x) for x in (A, PRIMED, 3 * A)])
    np.testing.assert_allclose(found.mean, PRIMED, atol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(errors.TexjaxError, match="A is 7 x 6 at this layer and A' 8 x 5"):
        losses.analogy().join([jnp.asarray(A), jnp.asarray(B), jnp.asarray(B)])
    with pytest.raises(errors.TexjaxError, match="2 sources; give three"):
        losses.analogy().join([jnp.asarray(A), jnp.asarray(B)])
    with pytest.raises(errors.TexjaxError, match="patch of the analogy loss is 0"):
        losses.analogy(patch=0)
