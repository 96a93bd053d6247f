"""The network of Johnson et al. 2016 (arXiv 1603.08155), which restyles a photograph in one pass."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types, validate
from texjax.generators import blocks

OUTER = 9  # pixels on each side of the first and the last convolution
EPSILON = 1e-3  # added to the variance of the photograph, so that one that is nearly flat stays so
# Variance of the last convolution's kernel, relative to that which keeps the size of its inputs.
START = 0.01


class Network(nn.Module):
    """Two reductions, residual blocks at a quarter of the size, two enlargements, plus the normalized photograph."""

    widths: tuple[int, int, int]
    depth: int
    channels: int

    @nn.compact
    def __call__(self, photos: types.Images, codes: blocks.Codes) -> Float[Array, "n h w c"]:
        """Return variables [n, h, w, channels] for photographs whose sides are multiples of 4."""

        def layer(x: Array, width: int, side: int = 3, padding: str = "REFLECT") -> Array:
            # The normalization takes away what a bias adds.
            x = blocks.conv(width, side, padding, use_bias=False)(x)
            return blocks.CodedInstanceNorm()(x, codes)

        fine, middle, coarse = self.widths
        x = nn.relu(layer(photos - 0.5, fine, OUTER))
        for width in (middle, coarse):
            padded = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
            x = nn.relu(layer(blocks.halved(padded), width, padding="VALID"))
        for _ in range(self.depth):
            x = x + layer(nn.relu(layer(x, coarse)), coarse)
        for width in (middle, fine):
            x = nn.relu(layer(blocks.doubled(x), width))
        start = nn.initializers.variance_scaling(START, "fan_in", "normal")
        even = blocks.CodedInstanceNorm(EPSILON)(photos, codes)
        return even + blocks.conv(self.channels, OUTER, "REFLECT", kernel_init=start)(x)


def residual(
    channels: int,
    sources: int,
    *,
    widths: Sequence[int] = (16, 32, 64),
    blocks: int = 4,
) -> types.Generator:
    """Return Johnson's network for photographs [h, w, channels] in [0, 1], whose sides are multiples of 4.

    What differs from the paper: half the channels or fewer, and instance normalization (Ulyanov et al. 2017, arXiv
    1701.02096), whose scales follow the code of several sources (see `blocks.CodedInstanceNorm`). Every convolution has
    reflected edges of its own. The two with stride 2 are of 6 x 6 pixels instead of 3 x 3, as they are plain
    convolutions of squares of 2 x 2 pixels, whose gradient is fast on CPU. The two that enlarge follow a repetition of
    pixels, which leaves no checkerboard (Odena et al. 2016, doi 10.23915/distill.00003).

    What the network computes is added to the photograph, whose channels are normalized too. So training begins with
    the content in place. Without the normalization it hardly proceeds, since the network, which sees normalized
    channels alone, cannot make up for how bright and how rich in contrast a photograph is.

    Args:
        channels: of the images.
        sources: number of styles.
        widths: channels at full size, at a half and at a quarter.
        blocks: number of residual blocks.

    Raises:
        TexjaxError: for other than three widths, a width below 1, or a negative number of blocks.
    """
    validate.whole("the number of generator.widths", len(widths), 3, 3)
    for i, width in enumerate(widths):
        validate.whole(f"generator.widths[{i}]", width, 1, 512)
    validate.whole("generator.blocks", blocks, 0, 64)
    fine, middle, coarse = widths
    network = Network((fine, middle, coarse), blocks, channels)

    def init(key: types.PRNGKey) -> types.Weights:
        return network.init(key, jnp.zeros((1, 8, 8, channels)), jnp.ones((1, sources)))

    def apply(weights: types.Weights, inputs: types.Images, codes: Float[Array, "n k"]) -> types.Images:
        images: Any = network.apply(weights, inputs, codes)
        return images

    def train(
        weights: types.Weights, inputs: types.Images, codes: Float[Array, "n k"]
    ) -> tuple[types.Images, types.Weights]:
        return apply(weights, inputs, codes), weights

    return types.Generator(init, None, train, apply, multiple=4, halo=None)
