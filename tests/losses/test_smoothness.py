"""Smoothness against loops over pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses, types

IMAGE = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
# For each form, the value of a pixel's two differences, and its two slopes.
FORMS = {
    "squared": (lambda x, y: (x * x + y * y) / 2, lambda x, y: (x, y)),
    "absolute": (lambda x, y: abs(x) + abs(y), lambda x, y: (np.sign(x), np.sign(y))),
    "power": (
        lambda x, y: (x * x + y * y) ** 1.25,
        lambda x, y: (2.5 * x * (x * x + y * y) ** 0.25, 2.5 * y * (x * x + y * y) ** 0.25),
    ),
}


def evaluate(loss: types.Loss, image, mask=None) -> jax.Array:
    """The loss of one image [h, w, 3]."""
    views = [types.View(0, "pixels", 1.0, jnp.asarray(image)[None], mask)]
    return loss.value(views, loss.join([loss.summarize(views)]))


def expected(form: str, image: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient; the last row and column have no differences of their own."""
    image, value, gradient = image.astype(np.float64), 0.0, np.zeros(image.shape)
    for i, j, k in np.ndindex(image.shape[0] - 1, image.shape[1] - 1, image.shape[2]):
        dx, dy = image[i, j + 1, k] - image[i, j, k], image[i + 1, j, k] - image[i, j, k]
        value += FORMS[form][0](dx, dy)
        slope_x, slope_y = FORMS[form][1](dx, dy)
        gradient[i, j + 1, k] += slope_x
        gradient[i + 1, j, k] += slope_y
        gradient[i, j, k] -= slope_x + slope_y
    return value, gradient


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flat", [False, True])
def test_value_and_gradient_equal_the_formula(form: str, flat: bool):
    loss, image = losses.smoothness(form=form), IMAGE.copy()
    if flat:
        image[:3] = 0.5  # where slopes must not be NaN
    value, gradient = jax.value_and_grad(lambda pixels: evaluate(loss, pixels))(jnp.asarray(image))
    expected_value, slope = expected(form, image)
    assert float(value) == pytest.approx(expected_value, rel=1e-5)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


def test_mask_weighs_pixels_by_their_own_differences():
    mask = np.zeros((5, 6), np.float32)
    mask[1, 2] = 3
    (dy,), (dx,) = IMAGE[2:3, 2] - IMAGE[1, 2], IMAGE[1:2, 3] - IMAGE[1, 2]
    value = evaluate(losses.smoothness(), IMAGE, jnp.asarray(mask))
    assert float(value) == pytest.approx(3 * (dx**2 + dy**2).sum() / 2, rel=1e-5)


def test_unknown_forms_are_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'squared'"):
        losses.smoothness(form="square")
