"""A pyramid of noise, from coarse to fine, after the texture networks of Ulyanov et al. 2016 (arXiv 1603.03417).

Noise enters at every octave, so that the network is as multi-scale as the objective of Snelgrove 2017, whose discussion
proposes to train such networks.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import types, validate
from texjax.generators import blocks, noise

Octaves = list[Float[Array, "..."]]  # noise, finest first, each [n, h, w, 3], or [h, w, 3] of one picture
CHANNELS = 3  # of the noise
CONVOLUTIONS = 2  # of 3 x 3 pixels at each octave


class Network(nn.Module):
    """Two convolutions at each octave, of its noise and of the enlarged maps of the next coarser octave."""

    widths: tuple[int, ...]
    channels: int

    @nn.compact
    def __call__(self, octaves: Octaves, codes: blocks.Codes, train: bool) -> Float[Array, "n h w c"]:
        """Return images [n, h, w, channels] as large as the finest noise."""
        x: Any = None
        for octave, width in zip(reversed(octaves), reversed(self.widths), strict=True):
            x = octave if x is None else jnp.concatenate([blocks.doubled(x), octave], axis=-1)
            for _ in range(CONVOLUTIONS):
                x = blocks.conv(width, 3, use_bias=False)(x)
                x = nn.leaky_relu(blocks.CodedNorm()(x, codes, train))
        return nn.Dense(self.channels)(x)


def pyramid(channels: int, sources: int, *, widths: Sequence[int] = (16, 32, 48, 48, 48, 48)) -> types.Generator:
    """Return a pyramid of noise, for pictures of any size that tile.

    What differs from the paper: octaves are joined without branches for their noise, and there are fewer channels at
    the fine octaves and more at the coarse ones, where they cost little. The normalization's scales follow the code of
    several sources (see `blocks.CodedNorm`), the noise is uniform in [-1, 1), and the nonlinearity is leaky.

    Args:
        channels: of the images.
        sources: number of textures.
        widths: channels at each octave, finest first.

    Raises:
        TexjaxError: for no octave, more than ten, or a width below 1.
    """
    validate.whole("the number of generator.widths", len(widths), 1, 10)
    for i, width in enumerate(widths):
        validate.whole(f"generator.widths[{i}]", width, 1, 512)
    network, coarsest = Network(tuple(widths), channels), 2 ** (len(widths) - 1)

    def draw(key: types.PRNGKey, window: types.Window) -> Octaves:
        keys = jax.random.split(key, len(widths))
        return [noise.uniform(key, noise.reduced(window, 2**i), CHANNELS) for i, key in enumerate(keys)]

    def init(key: types.PRNGKey) -> types.Weights:
        window = types.Window(0, 0, coarsest, coarsest, (coarsest, coarsest))
        inputs = [octave[None] for octave in draw(key, window)]
        return network.init(key, inputs, jnp.ones((1, sources)), train=False)

    def train(weights: types.Weights, inputs: Octaves, codes: blocks.Codes) -> tuple[types.Images, types.Weights]:
        images, statistics = network.apply(weights, inputs, codes, train=True, mutable=["batch_stats"])
        return images, {**weights, **statistics}

    def apply(weights: types.Weights, inputs: Octaves, codes: blocks.Codes) -> types.Images:
        images: Any = network.apply(weights, inputs, codes, train=False)
        return images

    # The convolutions of the coarsest octave spoil two of its pixels, those of the next one two of half the size, ...
    return types.Generator(init, draw, train, apply, coarsest, CONVOLUTIONS * 2 * coarsest)
