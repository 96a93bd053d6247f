"""Parts that several generators share: a convolution, and a normalization that follows the code of the sources."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax.features import convolution

Maps = Float[Array, "n h w c"]
Codes = Float[Array, "n k"]


def conv(width: int, side: int, padding: Any = "CIRCULAR", **settings: Any) -> nn.Conv:
    """Return a convolution whose gradient is fast inside loops, see `features.convolution`."""
    return nn.Conv(width, (side, side), padding=padding, conv_general_dilated=convolution.general, **settings)


def doubled(x: Maps) -> Float[Array, "n h2 w2 c"]:
    """Repeat every pixel to a square of 2 x 2."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def halved(x: Maps) -> Float[Array, "n h2 w2 c4"]:
    """Make every square of 2 x 2 pixels one pixel with four times the channels; the sides are even."""
    n, height, width, channels = x.shape
    squares = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4 * channels)


class CodedNorm(nn.Module):
    """Batch normalization (Ioffe & Szegedy 2015) whose scale and offset are those of the sources, mixed by the codes.

    A scale and an offset for each source are the conditional normalization of Dumoulin et al. 2017 (arXiv 1610.07629).
    Once trained, the statistics are constants, so that a pixel does not depend on the size of the picture.
    """

    momentum: float = 0.95

    @nn.compact
    def __call__(self, x: Maps, codes: Codes, train: bool) -> Maps:
        """Normalize by the statistics of the stack or, if `train` is not set, by those that training has left."""
        norm = nn.BatchNorm(not train, momentum=self.momentum, use_bias=False, use_scale=False)
        return _scaled(self, norm(x), codes)


class CodedInstanceNorm(nn.Module):
    """Instance normalization (Ulyanov et al. 2017, arXiv 1701.02096) with the scale and offset of `CodedNorm`."""

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Maps, codes: Codes) -> Maps:
        """Normalize every channel of every picture by its own mean and variance over the pixels."""
        norm = nn.InstanceNorm(epsilon=self.epsilon, use_bias=False, use_scale=False)
        return _scaled(self, norm(x), codes)


def _scaled(module: nn.Module, x: Maps, codes: Codes) -> Maps:
    """Scale and move each channel as the module's parameters say, which each source has of its own."""
    shape = (codes.shape[1], x.shape[-1])
    scales = module.param("scales", nn.initializers.ones, shape)
    offsets = module.param("offsets", nn.initializers.zeros, shape)
    scale, offset = (jnp.matmul(codes, mixed)[:, None, None] for mixed in (scales, offsets))
    return x * scale + offset
