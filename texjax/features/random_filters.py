"""One layer of random filters: textures without any trained weights (Ustyuzhaninov et al. 2017, arXiv 1606.00021).

The paper's filters have several sizes; here one size is applied to several octaves of the pyramid instead.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from texjax import errors, types
from texjax.features import convolution, native, native_library

LAYERS = ("pixels", "conv1_1")
PADDINGS = {"valid": None, "same": "constant", "reflect": "reflect", "circular": "wrap"}  # -> mode of jnp.pad


def random(
    *, size: int = 11, channels: int = 128, seed: int = 0, padding: str = "valid", backend: str = "auto"
) -> types.Extractor:
    """Return random filters with zero mean and unit norm, followed by a ReLU, as layer "conv1_1".

    Args:
        size: side of the filters in pixels, odd.
        channels: number of filters.
        seed: of the filters' values; other filters give equally good textures. It is no key of a config's `features`:
            in a config the seed is `config.seed`.
        padding: "valid", "same" (zeros), "reflect" or "circular".
        backend: "auto", "xla" or "onednn", see `vgg19`.

    Raises:
        TexjaxError: for an even or non-positive size, no channels, or an unknown padding or backend.
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

    by_native = native_library.choose(backend, "float32").name == "onednn"

    def by_xla(image: Array, params: native.Params, masks: native.Masks = ()) -> native.Maps:
        mode = PADDINGS[padding]
        padded = jnp.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode=mode) if mode else image
        return (jax.nn.relu(convolution.general(padded[None], params[0]["kernel"], (1, 1), "VALID")[0]),)

    def apply(weights: types.Weights, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        features: types.Features = {"pixels": image}
        if "conv1_1" in layers:
            params = [{"kernel": weights["conv1_1"], "bias": jnp.zeros(channels, image.dtype)}]
            h, w, c = image.shape
            chain = native.Chain((size,), (channels,), ((outputs(h), outputs(w)),), (0,), (), (h, w, c), padding)
            if by_native and image.dtype == jnp.float32:
                (features["conv1_1"],) = native.activations(chain, by_xla, image, params)
            else:
                (features["conv1_1"],) = by_xla(image, params)
        return {layer: features[layer] for layer in layers}

    def outputs(side: int) -> int:
        return side - size + 1 if padding == "valid" else side

    def grid(layer: str) -> types.Grid:
        if layer not in LAYERS:
            raise errors.unknown("layer", layer, LAYERS)
        if layer == "pixels":
            return types.Grid(1, 1, 0, lambda side: side)
        if padding == "valid":
            return types.Grid(1, size, 0, lambda side: max(0, outputs(side)))
        # Reflection needs more pixels than it adds.
        least = margin + 1 if padding == "reflect" else 1
        return types.Grid(1, size, margin, lambda side: side if side >= least else 0)

    return types.Extractor({"conv1_1": kernel}, apply, LAYERS, grid, circular=padding == "circular")
