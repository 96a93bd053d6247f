"""Gray and color: the luminance of images, and images with the colors of another."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from texjax import pyramid, types

# Weights of red, green and blue in the luminance Y of YUV (ITU-R BT.601), which neural-style uses to keep colors.
LUMINANCE = (0.299, 0.587, 0.114)


# Channels that differ by less are equal but for rounding: half of an 8-bit level.
GRAY = 0.5 / 255


def is_gray(image: Float[np.ndarray, "h w 3"]) -> bool:
    """Return whether the three channels of an image, sRGB in [0, 1], are equal but for rounding."""
    return bool((image.max(-1) - image.min(-1)).max() < GRAY)


def luminance(image: Float[Array, "*n h w 3"]) -> Float[Array, "*n h w"]:
    """Return the luminance Y of YUV, which lies in [0, 1] if the image does."""
    return sum((weight * image[..., k] for k, weight in enumerate(LUMINANCE)), start=jnp.zeros(()))


def with_colors_of(images: types.Images, content: Float[Array, "_ _ 3"]) -> types.Images:
    """Return images that have the luminance of `images` and the colors of `content`.

    This is the color preservation of Gatys et al. 2016 (arXiv 1606.05897, section 3). Gray has no chrominance in YUV.
    Adding the difference of the luminances to all three channels therefore replaces the luminance of the content and
    keeps its colors.

    Args:
        images: Stack [n, h, w, 3].
        content: Image of any size; it is resized to h x w.

    Returns:
        Stack [n, h, w, 3]. Values may leave [0, 1], and clipping them changes colors.
    """
    resized = pyramid.stretch(content, (images.shape[1], images.shape[2]))
    return resized[None] + (luminance(images) - luminance(resized)[None])[..., None]
