"""The analogy loss against loops over patches in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses, types

C = 3


def maps(height: int, width: int, seed: int) -> np.ndarray:
    """Features [h, w, C], not negative."""
    return np.random.default_rng(seed).random((height, width, C)).astype(np.float32)


A, A_PRIME, B, IMAGE = maps(6, 7, 0), maps(6, 7, 1), maps(5, 8, 2), maps(5, 8, 3)


def views(features) -> list[types.View]:
    """One place, of a stack of one image [h, w, c]."""
    return [types.View(0, "conv1_1", 1.0, jnp.asarray(features)[None])]


def target_of(loss: types.Loss, *pictures: np.ndarray):
    return loss.join([loss.summarize(views(picture)) for picture in pictures])


def windows(features: np.ndarray, patch: int) -> list[tuple[slice, slice]]:
    """Where the patches lie, row by row."""
    h, w = (n - patch + 1 for n in features.shape[:2])
    return [(slice(y, y + patch), slice(x, x + patch)) for y in range(h) for x in range(w)]


def matches(patch: int) -> list[tuple[tuple[slice, slice], np.ndarray]]:
    """The window of each patch of B, and the patch of A' that belongs to it."""
    a, a_prime, b = (x.astype(np.float64) for x in (A, A_PRIME, B))

    def nearest(query: np.ndarray) -> tuple[slice, slice]:
        return max(windows(A, patch), key=lambda window: (a[window] * query).sum() / np.linalg.norm(a[window]))

    return [(window, a_prime[nearest(b[window])]) for window in windows(B, patch)]


def averaged(patch: int) -> np.ndarray:
    """The matches, averaged where they overlap."""
    total, count = np.zeros(B.shape), np.zeros(B.shape)
    for window, match in matches(patch):
        total[window] += match
        count[window] += 1
    return total / count


@pytest.mark.parametrize("patch", [1, 3])
@pytest.mark.parametrize("full", [False, True])
def test_value_and_gradient_equal_the_formula(patch: int, full: bool):
    loss = losses.analogy(patch=patch, full=full)
    target = target_of(loss, A, A_PRIME, B)
    value, gradient = jax.value_and_grad(lambda image: loss.value(views(image), target))(jnp.asarray(IMAGE))
    expected, slope = 0.0, np.zeros(IMAGE.shape)
    if full:
        for window, match in matches(patch):
            expected += ((IMAGE[window] - match) ** 2).sum() / patch**2
            slope[window] += 2 * (IMAGE[window] - match) / patch**2
    else:
        expected, slope = ((IMAGE - averaged(patch)) ** 2).sum(), 2 * (IMAGE - averaged(patch))
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


def test_b_like_a_becomes_a_prime():
    (target,) = target_of(losses.analogy(patch=3), A, A_PRIME, 3 * A)
    np.testing.assert_allclose(target.mean, A_PRIME, atol=1e-6)


def test_pictures_that_are_no_analogy_are_refused():
    with pytest.raises(errors.TexjaxError, match="A is 7 x 6 at this layer and A' 8 x 5"):
        target_of(losses.analogy(), A, B, B)
    with pytest.raises(errors.TexjaxError, match="an analogy has 2 pictures; give three"):
        target_of(losses.analogy(), A, B)
    with pytest.raises(errors.TexjaxError, match="patch of the analogy loss is 0"):
        losses.analogy(patch=0)
