"""Colors of one picture and light of another."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import pyramid, types

# Of red, green and blue, as in ITU-R BT.601 (YUV), which neural-style keeps the colors by.
LUMINANCE = (0.299, 0.587, 0.114)


def luminance(image: Float[Array, "*n h w 3"]) -> Float[Array, "*n h w"]:
    """The light Y of YUV, in [0, 1] as the image is."""
    return sum((weight * image[..., k] for k, weight in enumerate(LUMINANCE)), start=jnp.zeros(()))


def kept(images: types.Images, content: Float[Array, "_ _ 3"]) -> types.Images:
    """The images' luminance with the colors of the content (Gatys et al. 2016, arXiv 1606.05897, section 3).

    images: [n, h, w, 3]. content: of any size, stretched to that of the images.

    As gray has no color in YUV, that is the content and, in all three channels, what the luminances differ by. Values
    may leave [0, 1]; where they are cut off, colors change.
    """
    like_them = pyramid.stretched(content, (images.shape[1], images.shape[2]))
    return like_them[None] + (luminance(images) - luminance(like_them)[None])[..., None]
