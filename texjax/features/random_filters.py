"""One layer of random filters: textures without any trained weights (Ustyuzhaninov et al. 2017, arXiv 1606.00021).

The paper's filters have several sizes; here one size is applied to several octaves of the pyramid instead.
"""

import jax
import jax.numpy as jnp

from texjax import errors, types
from texjax.features import convolution

LAYERS = ("pixels", "conv1_1")
PADDINGS = {"valid": None, "same": "constant", "reflect": "reflect", "circular": "wrap"}  # -> mode of jnp.pad


def random(*, size: int = 11, channels: int = 128, seed: int = 0, padding: str = "valid") -> types.Extractor:
    """Return random filters with zero mean and unit norm, followed by a ReLU, as layer "conv1_1".

    Args:
        size: side of the filters in pixels, odd.
        channels: number of filters.
        seed: of the filters' values; other filters give equally good textures. It is no key of a config's `features`:
            in a config the seed is `config.seed`.
        padding: "valid", "same" (zeros), "reflect" or "circular".

    Raises:
        TexjaxError: for an even or non-positive size, no channels, or an unknown padding.
    """
    if size < 1 or size % 2 == 0 or channels < 1:
        raise errors.TexjaxError(
            f"random filters have size {size} and {channels} channels; give an odd size and at least one channel."
        )
    if padding not in PADDINGS:
        raise errors.unknown("padding", padding, PADDINGS)
    kernel = jax.random.normal(jax.random.key(seed), (size, size, 3, channels))
    kernel = kernel - kernel.mean((0, 1, 2), keepdims=True)
    # White pixel noise of variance 1 has a response of variance 1; images vary less, so features are about 0.1.
    kernel = kernel / jnp.sqrt((kernel**2).sum((0, 1, 2), keepdims=True))
    margin = size // 2

    def apply(weights: types.Weights, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        features: types.Features = {"pixels": image}
        if "conv1_1" in layers:
            mode = PADDINGS[padding]
            padded = jnp.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode=mode) if mode else image
            response = convolution.general(padded[None], weights["conv1_1"], (1, 1), "VALID")[0]
            features["conv1_1"] = jax.nn.relu(response)
        return {layer: features[layer] for layer in layers}

    def grid(layer: str) -> types.Grid:
        if layer not in LAYERS:
            raise errors.unknown("layer", layer, LAYERS)
        if layer == "pixels":
            return types.Grid(1, 1, 0, lambda side: side)
        if padding == "valid":
            return types.Grid(1, size, 0, lambda side: max(0, side - size + 1))
        # Reflection needs more pixels than it adds.
        least = margin + 1 if padding == "reflect" else 1
        return types.Grid(1, size, margin, lambda side: side if side >= least else 0)

    return types.Extractor({"conv1_1": kernel}, apply, LAYERS, grid)
