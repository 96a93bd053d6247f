"""One layer of random filters: textures without any trained weights (Ustyuzhaninov et al. 2017, arXiv 1606.00021).

Several octaves of the pyramid take the place of the paper's filters of several sizes.
"""

import jax
import jax.numpy as jnp

from texjax import errors, types
from texjax.features import convolution

PADDINGS = {"valid": None, "same": "constant", "reflect": "reflect", "circular": "wrap"}


def random(*, size: int = 11, channels: int = 128, seed: int = 0, padding: str = "valid") -> types.Extractor:
    """`channels` filters of `size` x `size` x 3 with zero mean and unit norm, then a ReLU, as layer "conv1_1".

    size: odd, in pixels. seed: of the filters; other filters of the same number give as good textures.

    Raises TexjaxError for an even or non-positive size, no channels, or an unknown padding.
    """
    if size < 1 or size % 2 == 0 or channels < 1:
        raise errors.TexjaxError(
            f"random filters need an odd size and some channels; got size {size}, {channels} channels."
        )
    if padding not in PADDINGS:
        raise errors.unknown("padding", padding, PADDINGS)
    kernel = jax.random.normal(jax.random.key(seed), (size, size, 3, channels))
    kernel = kernel - kernel.mean((0, 1, 2), keepdims=True)
    # Unit response to white pixel noise of variance one; images vary by less, hence features of order one tenth.
    kernel = kernel / jnp.sqrt((kernel**2).sum((0, 1, 2), keepdims=True))
    layers = ("pixels", "conv1_1")

    def apply(weights: types.Weights, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        out: types.Features = {"pixels": image}
        if "conv1_1" in layers:
            mode, half = PADDINGS[padding], size // 2
            x = jnp.pad(image, ((half, half), (half, half), (0, 0)), mode=mode) if mode else image
            x = convolution.general(x[None], weights["conv1_1"], (1, 1), "VALID")[0]
            out["conv1_1"] = jax.nn.relu(x)
        return {layer: out[layer] for layer in layers}

    def grid(layer: str) -> types.Grid:
        if layer not in layers:
            raise errors.unknown("layer", layer, layers)
        if layer == "pixels":
            return types.Grid(1, 1, 0, lambda n: n)
        if padding == "valid":
            return types.Grid(1, size, 0, lambda n: max(0, n - size + 1))
        # Reflection needs more pixels than it adds.
        return types.Grid(1, size, size // 2, lambda n: n if n > (size // 2 if padding == "reflect" else 0) else 0)

    return types.Extractor({"conv1_1": kernel}, apply, layers, grid)
