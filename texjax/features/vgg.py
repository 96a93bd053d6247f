"""VGG networks (Simonyan & Zisserman 2014) with named activations, as texture synthesis uses them.

They differ from the classifier: pooling and padding can be chosen, the fully connected layers are left out, and only
the layers down to the deepest one asked for are computed. "conv1_1" is the activation after the ReLU. The image enters
as sRGB in [0, 1]: reading a weight file folds the channel order and scaling of its origin into the first layer.
"""

import math
import os
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, moments, types
from texjax.features import convolution, grids, native, native_library
from texjax.features.weights import catalog, files, normalization, origins

VGG19 = origins.BLOCKS["vgg19"]
VGG16 = origins.BLOCKS["vgg16"]
WIDTHS = (64, 128, 256, 512, 512)  # channels in each block
COMPACT = "compact.safetensors"
FIRST = "conv1_1"
PARTS = 3  # of the image, where its numbers are bf16, see `_split`
POOLS: dict[str, Callable[..., Array]] = {"average": jnp.mean, "max": jnp.max}
# Padding of the convolutions -> mode of `jnp.pad` that completes the last window of a pooling.
PADDINGS: dict[str, Any] = {"valid": None, "same": "edge", "reflect": "reflect", "circular": "wrap"}
PRECISIONS = {
    "float32": (jnp.float32, lax.Precision.HIGHEST),
    "tf32": (jnp.float32, lax.Precision.DEFAULT),
    "bf16": (jnp.bfloat16, lax.Precision.DEFAULT),
}

layer_names = origins.layer_names


class VGG(nn.Module):
    """Blocks of 3 x 3 convolutions with ReLU; a pooling by two follows each block."""

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    pool: str
    padding: str
    precision: str = "float32"

    @nn.compact
    def __call__(self, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        """Return the named activations of a mean-shifted image."""
        dtype, precision = PRECISIONS[self.precision]
        # float64 images, as in tests against double-precision references, keep their precision.
        dtype = image.dtype if dtype == jnp.float32 else dtype
        # Unpadded convolutions run with padding, because that is faster, see `convolution`. The border of outputs that
        # this spoils grows by one with each convolution, and is cut off before a pooling and where a layer is returned.
        valid = self.padding == "valid"
        activations, x, border = {}, image[None], 0
        for name, width in operations(self.blocks, self.widths):
            if width is None:
                x, border = pool(_without_border(x, border), self.pool, self.padding), 0
            else:
                first = name == FIRST
                convolve = nn.Conv(
                    width,
                    (3, 3),
                    padding="SAME" if valid else self.padding.upper(),
                    # Rounded to bf16, pixels would not change by a small step, and line searches would fail.
                    dtype=image.dtype if first else dtype,
                    precision=lax.Precision.HIGHEST if first else precision,
                    conv_general_dilated=convolution.general,
                    name=name,
                )
                x, border = nn.relu(convolve(x)).astype(dtype), border + valid
            activations[name] = _without_border(x, border)
            if activations.keys() >= set(layers):
                break
        return {layer: activations[layer][0].astype(image.dtype) for layer in layers}


def operations(blocks: tuple[int, ...], widths: tuple[int, ...]) -> list[tuple[str, int | None]]:
    """Return the network's layers from shallow to deep, each with its number of channels, or None for a pooling."""
    return [
        (name, widths[int(name[len("conv")]) - 1] if name.startswith("conv") else None) for name in layer_names(blocks)
    ]


def convolutions(blocks: tuple[int, ...]) -> dict[str, str]:
    """Return layer -> the convolution whose activation the layer is, or pools."""
    names = layer_names(blocks)
    return {name: names[i - 1] if name.startswith("pool") else name for i, name in enumerate(names)}


def _without_border(x: Array, border: int) -> Array:
    return x[:, border : x.shape[1] - border, border : x.shape[2] - border]


def pool(x: Float[Array, "n h w c"], kind: str, padding: str) -> Float[Array, "n h2 w2 c"]:
    """Pool windows of 2 x 2 with stride 2.

    With padding "valid" an odd last row or column is dropped. The other paddings complete the window there: "same" uses
    the pixels that exist, and "reflect" and "circular" use those that the padding puts beside them.
    """
    n, h, w, c = x.shape
    if padding == "valid":
        x = x[:, : h // 2 * 2, : w // 2 * 2]
    else:
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode=PADDINGS[padding])
    return POOLS[kind](x.reshape(n, x.shape[1] // 2, 2, x.shape[2] // 2, 2, c), axis=(2, 4))


Results = tuple[types.Features, dict[str, types.Moments]]


def _by_xla(
    network: VGG, layers: tuple[str, ...], of_moments: tuple[str, ...], image: Array, params: Any, masks: types.Masks
) -> Results:
    """The features and the second moments at these layers, of a mean-shifted image."""
    features: Any = network.apply({"params": params}, image, tuple(dict.fromkeys(layers + of_moments)))
    return {layer: features[layer] for layer in layers}, {
        layer: moments.second(features[layer], moments.mask(masks.get(layer))) for layer in of_moments
    }


def _by_native(
    network: VGG, layers: tuple[str, ...], of_moments: tuple[str, ...], image: Array, params: Any, masks: types.Masks
) -> Results:
    """The same by oneDNN, see `native`."""
    all_layers = operations(network.blocks, network.widths)
    deepest = max(i for i, (name, _) in enumerate(all_layers) if name in layers + of_moments)
    settings = {"max": network.pool == "max", "bf16": network.precision == "bf16"}
    split = settings["bf16"]
    shape = (*image.shape[:2], image.shape[2] * (PARTS if split else 1))
    chain = native.chain(all_layers[: deepest + 1], layers, of_moments, shape, network.padding, **settings)
    convolved = [name for name, width in all_layers[: deepest + 1] if width is not None]

    def by_xla(image: Array, params: native.Params, flags: native.Masks) -> native.Maps:
        if split:
            image, params = _joined(image, params)
        named = dict(zip(convolved, params, strict=True))
        heights = (chain.sizes[i][0] for i in chain.moments)
        split_flags = [(rows_columns[:h], rows_columns[h:]) for rows_columns, h in zip(flags, heights, strict=False)]
        features, sums = _by_xla(
            network, layers, of_moments, image, named, dict(zip(of_moments, split_flags, strict=False))
        )
        return (*(features[layer] for layer in layers), *(sums[layer].outer for layer in of_moments))

    ordered = [params[name] for name in convolved]
    if split:
        image, ordered = _split(image, ordered)
    flags = tuple(jnp.concatenate(masks[layer]) for layer in of_moments if masks)
    arrays: Any = native.activations(chain, by_xla, image, ordered, flags)
    counts = [
        masks[layer][0].sum() * masks[layer][1].sum() if masks else jnp.full((), math.prod(chain.sizes[i]), jnp.float32)
        for i, layer in zip(chain.moments, of_moments, strict=True)
    ]
    sums = map(types.Moments, arrays[len(layers) :], counts)
    return dict(zip(layers, arrays, strict=False)), dict(zip(of_moments, sums, strict=True))


def _split(image: Array, params: native.Params) -> tuple[Array, native.Params]:
    """Return an image of more channels and a first kernel for it, whose product hardly suffers from rounding to bf16.

    With the roundings X and K of image x and kernel k, it is X K + (x - X) K + x (k - K) = x k. The parts that are
    rounded here have no gradient, as the others have all of it.
    """
    kernel = params[0]["kernel"]
    rounded_image, rounded_kernel = (
        lax.stop_gradient(lax.reduce_precision(array, exponent_bits=8, mantissa_bits=7)) for array in (image, kernel)
    )
    channels = jnp.concatenate([rounded_image, image - rounded_image, image], -1)
    kernels = jnp.concatenate([rounded_kernel, rounded_kernel, kernel - rounded_kernel], 2)
    return channels, [{**params[0], "kernel": kernels}, *params[1:]]


def _joined(image: Array, params: native.Params) -> tuple[Array, native.Params]:
    """Undo `_split`."""
    channels = image.shape[2] // PARTS
    kernel = params[0]["kernel"]
    kernel = kernel[:, :, :channels] + kernel[:, :, -channels:]
    return image[..., -channels:], [{**params[0], "kernel": kernel}, *params[1:]]


def extractor(
    weights: types.Weights, blocks: tuple[int, ...], pool: str, padding: str, precision: str, backend: str = "auto"
) -> types.Extractor:
    """Return the extractor of canonical weights, {"mean": [3], "conv1_1": {"kernel", "bias"}, ...}.

    Where a convolution has a "readout" [c, c'], its activation and that of a pooling after it are multiplied by the
    readout when they are returned; the next layer takes them without it.

    Raises TexjaxError for an unknown pooling, padding, precision or backend.
    """
    for setting, value, known in (
        ("pooling", pool, POOLS),
        ("padding", padding, PADDINGS),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise errors.unknown(setting, value, known)
    names, convolution_of = layer_names(blocks), convolutions(blocks)
    stored = [name for name in names if name in weights]
    layers = ("pixels", *(name for name in names if convolution_of[name] in stored))
    # A block that the file lacks has the width of the published network, and is never computed.
    widths = tuple(
        weights[f"conv{block}_1"]["bias"].shape[0] if f"conv{block}_1" in stored else width
        for block, width in enumerate(WIDTHS, start=1)
    )
    network = VGG(blocks, widths, pool, padding, precision)
    by_native = native_library.choose(backend, precision).name == "onednn"

    def apply(weights: types.Weights, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        return with_moments(weights, image, layers, ())[0]

    def with_moments(
        weights: types.Weights,
        image: types.Image,
        layers: tuple[str, ...],
        of_moments: tuple[str, ...],
        masks: types.Masks | None = None,
    ) -> Results:
        masks = masks or {}
        params = {name: {part: weights[name][part] for part in ("kernel", "bias")} for name in stored}
        mapped, summed = (tuple(layer for layer in group if layer != "pixels") for group in (layers, of_moments))
        features, sums = {}, {}
        shifted = image - weights["mean"][None, None]
        if mapped or summed:
            run = _by_native if by_native and shifted.dtype == jnp.float32 else _by_xla
            features, sums = run(network, mapped, summed, shifted, params, masks)
        readouts = {layer: weights[convolution_of[layer]].get("readout") for layer in {*features, *sums}}
        for layer, readout in readouts.items():
            if readout is not None and layer in features:
                features[layer] = jnp.matmul(features[layer], readout, precision=lax.Precision.HIGHEST)
            if readout is not None and layer in sums:
                # Far fewer operations than the moments of the features after the readout take.
                sums[layer] = moments.transformed(sums[layer], readout)
        if "pixels" in of_moments:
            sums["pixels"] = moments.second(image, moments.mask(masks.get("pixels")))
        return {layer: image if layer == "pixels" else features[layer] for layer in layers}, sums

    def checked_grid(layer: str) -> types.Grid:
        if layer not in layers and layer in names:
            raise errors.TexjaxError(
                f"the weights have no layer {layer}: they end at {layers[-1]}; "
                f"choose a shallower layer or weights that go deeper."
            )
        if layer not in layers:
            raise errors.unknown("layer", layer, layers)
        return grids.of_network(names, padding, layer)

    return types.Extractor(
        jax.tree.map(jnp.asarray, weights), apply, layers, checked_grid, with_moments, padding == "circular"
    )


def _from_file(network: str, weights, pool, padding, normalize, precision, backend, preprocessing) -> types.Extractor:
    """Read the weight file, and normalize its channels where that is asked for and not yet done."""
    stored = files.read(catalog.locate(network, weights or None), preprocessing, network)
    arrays = stored.layers
    if normalize and stored.metadata.get("normalized", "none") == "none":
        arrays = normalization.rescale(arrays, normalization.shipped_means(network, arrays))
    return extractor(arrays, origins.BLOCKS[network], pool, padding, precision, backend)


def vgg19(
    weights: str | os.PathLike[str] = "",
    *,
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = True,
    precision: str = "float32",
    backend: str = "auto",
    preprocessing: str = "auto",
) -> types.Extractor:
    """Return VGG-19 down to the deepest layer of the weight file.

    Args:
        weights: a weight file, or a folder that holds one; empty searches the folders that `texjax weights list` shows.
        pool: "average" or "max".
        padding: of the convolutions, "valid", "same" (zeros), "reflect" or "circular".
        normalize: scale every channel to mean activation 1 over photographs (Gatys et al. 2015); the losses assume it.
        precision: of the features, "float32", "tf32" or "bf16"; their statistics are float32 always.
        backend: what computes them, "xla", "onednn" (on CPU, where `make native` has built it) or "auto": oneDNN where
            it is there and faster. With precision "tf32" oneDNN computes in float32.
        preprocessing: the input that the file's network expects, "caffe", "torchvision" or "amdegroot"; "auto" takes it
            from the file's format, name or checksum.

    Raises:
        TexjaxError: for an unknown setting, a missing or unreadable file, and missing means to normalize by.
    """
    return _from_file("vgg19", weights, pool, padding, normalize, precision, backend, preprocessing)


def compact(
    weights: str | os.PathLike[str] = "",
    *,
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = True,
    precision: str = "float32",
    backend: str = "auto",
    preprocessing: str = "auto",
) -> types.Extractor:
    """Return the small network that ships with texjax: VGG-19's layers down to pool3, distilled into fewer channels.

    It was trained with average pooling. It has the settings of `vgg19`, so that a config runs on either network; empty
    `weights` are the shipped ones, which are normalized.
    """
    weights = weights or catalog.project_folder() / COMPACT
    return _from_file("vgg19", weights, pool, padding, normalize, precision, backend, preprocessing)


def vgg16(
    weights: str | os.PathLike[str] = "",
    *,
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = False,
    precision: str = "float32",
    backend: str = "auto",
    preprocessing: str = "auto",
) -> types.Extractor:
    """Return VGG-16, with the settings of `vgg19`; `texjax weights normalize` measures its means, none are shipped."""
    return _from_file("vgg16", weights, pool, padding, normalize, precision, backend, preprocessing)
