"""Content against sums written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses

C = 4
FACTORS = {"mse": 1 / (6 * 5 * C), "gatys": 0.5, "sum": 1.0}


def maps(seed: int) -> np.ndarray:
    """Features [6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((6, 5, C)).astype(np.float32)


@pytest.mark.parametrize("normalization", FACTORS)
def test_value_and_gradient_equal_the_formula(normalization: str):
    image, kept, loss = maps(0), maps(1), losses.content(normalization=normalization)
    target = loss.join([loss.summarize(jnp.asarray(kept), None)])
    value, gradient = jax.value_and_grad(lambda x: loss.distance(loss.measure(x, target, None), target))(image)
    apart = image.astype(np.float64) - kept
    assert float(value) == pytest.approx(FACTORS[normalization] * (apart**2).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, 2 * FACTORS[normalization] * apart, rtol=1e-5, atol=1e-6)


def test_default_is_the_mean_over_what_the_mask_leaves():
    image, kept, loss, mask = maps(0), maps(1), losses.content(), np.zeros((6, 5), np.float32)
    mask[1:3] = 1
    sums = loss.measure(jnp.asarray(image), jnp.asarray(kept), jnp.asarray(mask))
    want = np.mean((image[1:3].astype(np.float64) - kept[1:3]) ** 2)
    assert float(loss.distance(sums, jnp.asarray(kept))) == pytest.approx(want, rel=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'gatys'"):
        losses.content(normalization="gaty")
    with pytest.raises(errors.TexjaxError, match="2 contents"):
        losses.content().join([jnp.asarray(maps(0)), jnp.asarray(maps(1))])
