"""The colors of one image with the luminance of another, against the matrix of YUV."""

import jax.numpy as jnp
import numpy as np
import pytest

from texjax.images import colors

# ITU-R BT.601 as torch's image.rgb2yuv has it.
YUV = np.array([[0.299, 0.587, 0.114], [-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])


def test_luminance_is_of_the_images_and_chrominance_of_the_content():
    rng = np.random.default_rng(0)
    images, content = rng.random((2, 6, 5, 3)).astype(np.float32), rng.random((6, 5, 3)).astype(np.float32)
    yuv = np.asarray(colors.with_colors_of(jnp.asarray(images), jnp.asarray(content))) @ YUV.T
    np.testing.assert_allclose(yuv[..., 0], (images @ YUV.T)[..., 0], atol=1e-5)
    for k in (1, 2):
        np.testing.assert_allclose(yuv[..., k], np.stack([(content @ YUV.T)[..., k]] * 2), atol=1e-4)


def test_luminance_of_gray_is_its_level():
    assert float(colors.luminance(jnp.full((1, 1, 3), 0.25))[0, 0]) == pytest.approx(0.25)


def test_the_content_is_resized_to_the_images():
    content = jnp.broadcast_to(jnp.array([0.6, 0.4, 0.2]), (4, 4, 3))
    recolored = colors.with_colors_of(jnp.full((1, 8, 6, 3), 0.5), content)
    luminance = 0.299 * 0.6 + 0.587 * 0.4 + 0.114 * 0.2
    expected = np.broadcast_to([0.6, 0.4, 0.2], (1, 8, 6, 3)) + 0.5 - luminance
    np.testing.assert_allclose(recolored, expected, atol=1e-5)
