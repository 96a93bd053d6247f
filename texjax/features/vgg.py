"""VGG networks (Simonyan & Zisserman 2014) with named activations, as texture synthesis uses them.

Differences from the classifier: the pooling and the padding are chosen, the fully connected layers are left out, and
the network ends at the deepest layer asked for. "conv1_1" is the activation after the ReLU. The image enters as sRGB in
[0, 1]; the origin's channel order, scaling and mean shift are folded into the first layer when a file is read.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from texjax import errors, types
from texjax.features import convolution
from texjax.features.weights import catalog, files, normalization

VGG19 = (2, 2, 4, 4, 4)
VGG16 = (2, 2, 3, 3, 3)
WIDTHS = (64, 128, 256, 512, 512)
PADDINGS = ("valid", "same", "reflect", "circular")
COMPACT = "compact.safetensors"
POOLS: dict[str, Callable[..., Array]] = {"average": jnp.mean, "max": jnp.max}
PRECISIONS = {
    "float32": (jnp.float32, lax.Precision.HIGHEST),
    "tf32": (jnp.float32, lax.Precision.DEFAULT),
    "bf16": (jnp.bfloat16, lax.Precision.DEFAULT),
}


class VGG(nn.Module):
    """Convolutions of 3 x 3 with ReLU in blocks; every block but the first starts with a pooling by two."""

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    pool: str
    padding: str
    precision: str = "float32"

    @nn.compact
    def __call__(self, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        """The named activations of a mean-shifted image."""
        dtype, precision = PRECISIONS[self.precision]
        # float64 images (tests against double-precision references) keep their precision.
        dtype = image.dtype if dtype == jnp.float32 else dtype
        # Unpadded convolutions run padded, as that is faster; the rim so spoiled is cut off where somebody looks.
        valid = self.padding == "valid"
        out, x, rim = {}, image[None], 0
        for name, width in operations(self.blocks, self.widths):
            if width is None:
                x, rim = pool(_cut(x, rim), self.pool, self.padding), 0
            else:
                convolve = nn.Conv(
                    width,
                    (3, 3),
                    padding="SAME" if valid else self.padding.upper(),
                    dtype=dtype,
                    precision=precision,
                    conv_general_dilated=convolution.general,
                    name=name,
                )
                x, rim = nn.relu(convolve(x)), rim + valid
            out[name] = _cut(x, rim)
            if out.keys() >= set(layers):
                break
        return {layer: out[layer][0].astype(image.dtype) for layer in layers}


def operations(blocks: tuple[int, ...], widths: tuple[int, ...]) -> list[tuple[str, int | None]]:
    """The network's layers in order, each with its number of channels; None for a pooling."""
    order = []
    for block, (count, width) in enumerate(zip(blocks, widths, strict=True), start=1):
        order += [(f"conv{block}_{i}", width) for i in range(1, count + 1)] + [(f"pool{block}", None)]
    return order


def convolutions(blocks: tuple[int, ...]) -> dict[str, str]:
    """Layer -> the convolution whose activation it is, or pools."""
    order = [name for name, _ in operations(blocks, WIDTHS[: len(blocks)])]
    return {name: order[i - 1] if name.startswith("pool") else name for i, name in enumerate(order)}


def _cut(x: Array, rim: int) -> Array:
    return x[:, rim : x.shape[1] - rim, rim : x.shape[2] - rim]


def pool(x: Float[Array, "n h w c"], kind: str, padding: str) -> Float[Array, "n h2 w2 c"]:
    """Pooling of 2 x 2 with stride 2.

    An odd last row or column is dropped by padding "valid". Otherwise its window is completed: with "same" by nothing
    (the average is over the cells there are), with "reflect" and "circular" by what the padding puts there.
    """
    n, h, w, c = x.shape
    if padding == "valid":
        x = x[:, : h // 2 * 2, : w // 2 * 2]
    else:
        mode = {"same": "edge", "reflect": "reflect", "circular": "wrap"}[padding]
        x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode=mode)
    return POOLS[kind](x.reshape(n, x.shape[1] // 2, 2, x.shape[2] // 2, 2, c), axis=(2, 4))


def grid(blocks: tuple[int, ...], padding: str, layer: str) -> types.Grid:
    """Where the outputs of `layer` lie; see `types.Grid`."""
    stride, receptive, spoiled, kinds = 1, 1, 0, []
    valid = padding == "valid"
    for name, _ in operations(blocks, WIDTHS) if layer != "pixels" else ():
        pooling = name.startswith("pool")
        receptive += stride * (1 if pooling else 2)
        spoiled = 0 if valid else (spoiled + 1) // 2 if pooling else spoiled + 1
        stride *= 2 if pooling else 1
        kinds.append(pooling)
        if name == layer:
            break

    def size(n: int) -> int:
        for pooling in kinds:
            if valid:
                n = n // 2 if pooling else n - 2
            else:
                n = (n + 1) // 2 if pooling else n
            # Reflection by one pixel needs two.
            n = 0 if n < (2 if padding == "reflect" else 1) else n
        return n

    return types.Grid(stride, receptive, spoiled, size)


def extractor(weights: types.Weights, blocks: tuple[int, ...], pool: str, padding: str, precision: str):
    """An `Extractor` over canonical weights: {"mean": [3], "conv1_1": {"kernel", "bias"}, ...}.

    Where a convolution has a "readout" [c, c'], its activation and that of a pooling after it are multiplied by it on
    their way out; the next layer takes them as they are.
    """
    for what, got, known in (
        ("pooling", pool, POOLS),
        ("padding", padding, PADDINGS),
        ("precision", precision, PRECISIONS),
    ):
        if got not in known:
            raise errors.unknown(what, got, known)
    order = [name for name, _ in operations(blocks, WIDTHS)]
    held = [name for name in order if name in weights]
    source = convolutions(blocks)
    layers = ("pixels", *(name for name in order if source[name] in held))
    widths = tuple(
        weights[f"conv{b}_1"]["bias"].shape[0] if f"conv{b}_1" in held else WIDTHS[b - 1] for b in range(1, 6)
    )
    network = VGG(blocks, widths, pool, padding, precision)

    def apply(weights: types.Weights, image: types.Image, layers: tuple[str, ...]) -> types.Features:
        params = {name: {k: weights[name][k] for k in ("kernel", "bias")} for name in held}
        deeper = tuple(layer for layer in layers if layer != "pixels")
        features: Any = network.apply({"params": params}, image - weights["mean"][None, None], deeper) if deeper else {}
        for layer in deeper:
            readout = weights[source[layer]].get("readout")
            if readout is not None:
                features[layer] = jnp.matmul(features[layer], readout, precision=lax.Precision.HIGHEST)
        return {layer: image if layer == "pixels" else features[layer] for layer in layers}

    def checked_grid(layer: str) -> types.Grid:
        if layer not in layers and layer in order:
            raise errors.TexjaxError(
                f"the weights have no layer {layer}: they end at {layers[-1]}; "
                f"choose a shallower layer or weights that go deeper."
            )
        if layer not in layers:
            raise errors.unknown("layer", layer, layers)
        return grid(blocks, padding, layer)

    return types.Extractor(jax.tree.map(jnp.asarray, weights), apply, layers, checked_grid)


def _from_file(network: str, blocks, weights, pool, padding, normalize, precision, preprocessing) -> types.Extractor:
    """Read, normalize where asked, and wrap."""
    file = files.read(catalog.locate(network, weights or None), preprocessing)
    arrays = file.layers
    if normalize and file.metadata.get("normalized", "none") == "none":
        arrays = normalization.rescale(arrays, normalization.shipped_means(network, arrays))
    return extractor(arrays, blocks, pool, padding, precision)


def vgg19(
    *,
    weights: str = "",
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = True,
    precision: str = "float32",
    preprocessing: str = "auto",
) -> types.Extractor:
    """VGG-19 up to the deepest layer of the weight file.

    weights: a weight file or a folder with one; empty looks where `texjax weights list` says.
    normalize: scale every channel to mean activation 1 over photographs (Gatys et al. 2015), which the losses assume.
    precision: "float32", "tf32" or "bf16" features; statistics are float32 always.
    preprocessing: of the file's origin, "caffe" or "torchvision"; "auto" where the file itself tells.

    Raises TexjaxError for an unknown setting and a missing or unreadable file.
    """
    return _from_file("vgg19", VGG19, weights, pool, padding, normalize, precision, preprocessing)


def compact(
    *,
    weights: str = "",
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = True,
    precision: str = "float32",
    preprocessing: str = "auto",
) -> types.Extractor:
    """The small network that ships with texjax: VGG-19's layers up to conv3_4, distilled into fewer channels.

    It was trained with average pooling. Settings as of `vgg19`, so that a config runs on either; the shipped weights
    are normalized.
    """
    weights = weights or str(catalog.project_folder() / COMPACT)
    return _from_file("vgg19", VGG19, weights, pool, padding, normalize, precision, preprocessing)


def vgg16(
    *,
    weights: str = "",
    pool: str = "average",
    padding: str = "valid",
    normalize: bool = False,
    precision: str = "float32",
    preprocessing: str = "auto",
) -> types.Extractor:
    """VGG-16; settings as of `vgg19`. No channel means are shipped for it: see `texjax weights normalize`."""
    return _from_file("vgg16", VGG16, weights, pool, padding, normalize, precision, preprocessing)
