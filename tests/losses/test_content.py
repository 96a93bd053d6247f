"""Content against sums written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses, types

C = 4
FACTORS = {"mse": 1 / (6 * 5 * C), "gatys": 0.5, "sum": 1.0}


def maps(seed: int) -> np.ndarray:
    """Features [6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((6, 5, C)).astype(np.float32)


def views(features, mask=None) -> list[types.View]:
    """One place, of a stack of one image [h, w, c]."""
    return [types.View(0, "conv1_1", 1.0, jnp.asarray(features)[None], mask)]


def target_of(loss: types.Loss, *contents: np.ndarray):
    return loss.join([loss.summarize(views(content)) for content in contents])


@pytest.mark.parametrize("normalization", FACTORS)
def test_value_and_gradient_equal_the_formula(normalization: str):
    image, content, loss = maps(0), maps(1), losses.content(normalization=normalization)
    target = target_of(loss, content)
    value, gradient = jax.value_and_grad(lambda features: loss.value(views(features), target))(jnp.asarray(image))
    difference = image.astype(np.float64) - content
    assert float(value) == pytest.approx(FACTORS[normalization] * (difference**2).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, 2 * FACTORS[normalization] * difference, rtol=1e-5, atol=1e-6)


def test_default_is_the_mean_over_what_the_mask_leaves():
    image, content, loss, mask = maps(0), maps(1), losses.content(), np.zeros((6, 5), np.float32)
    mask[1:3] = 1
    value = loss.value(views(image, jnp.asarray(mask)), target_of(loss, content))
    expected = np.mean((image[1:3].astype(np.float64) - content[1:3]) ** 2)
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_unknown_names_and_several_contents_are_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'gatys'"):
        losses.content(normalization="gaty")
    with pytest.raises(errors.TexjaxError, match="2 contents"):
        target_of(losses.content(), maps(0), maps(1))


def test_a_content_of_another_size_is_refused():
    loss = losses.content()
    target = loss.join([loss.summarize([types.View(0, "pixels", 1.0, jnp.zeros((1, 5, 7, 3)))])])
    with pytest.raises(errors.TexjaxError, match="the content is 7 x 5 at a layer where the image is 6 x 5"):
        loss.value([types.View(0, "pixels", 1.0, jnp.zeros((1, 5, 6, 3)))], target)
