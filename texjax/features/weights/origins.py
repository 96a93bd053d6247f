"""How the origins of VGG weights differ: in the names and layouts of their arrays, and in their input.

What all origins share stands here too: the blocks of each network and the order of its layers.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from texjax import errors

# Network -> number of convolutions in each block; a pooling follows each block.
BLOCKS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
KERAS_NAME = re.compile(r"block(\d)_conv(\d)")
TORCH_NAME = re.compile(r"(?:module\.)?(?:features\.)?(\d+|conv\d_\d)\.(weight|bias)")
# The mean color of ImageNet's photographs, RGB in [0, 1], that the original (Caffe) networks subtract: their zero.
CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)


class Preprocessing(NamedTuple):
    """The input of an origin's network: scale * (RGB in [0, 1] - mean), with reversed channels where `bgr`."""

    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    bgr: bool = False


PREPROCESSING = {
    "caffe": Preprocessing(CAFFE_MEAN, (255, 255, 255), bgr=True),
    "torchvision": Preprocessing((0.485, 0.456, 0.406), (1 / 0.229, 1 / 0.224, 1 / 0.225)),
    "amdegroot": Preprocessing((0.48235, 0.45882, 0.40784), (255, 255, 255)),
}


def layer_names(blocks: tuple[int, ...]) -> list[str]:
    """Return the names of a network's layers from shallow to deep: "conv1_1", "conv1_2", "pool1", ..., "pool5"."""
    names = []
    for block, count in enumerate(blocks, start=1):
        names += [*(f"conv{block}_{i}" for i in range(1, count + 1)), f"pool{block}"]
    return names


def convolution_names(network: str) -> list[str]:
    """Return the names of the network's convolutions from shallow to deep; network: a key of `BLOCKS`."""
    return [name for name in layer_names(BLOCKS[network]) if name.startswith("conv")]


def torchvision_positions(network: str) -> dict[int, str]:
    """Return position in torchvision's `features` -> convolution; a ReLU follows each convolution there."""
    positions, position = {}, 0
    for name in layer_names(BLOCKS[network]):
        if name.startswith("conv"):
            positions[position] = name
            position += 1
        position += 1
    return positions


def fold(layers: dict[str, Any], preprocessing: str) -> np.ndarray:
    """Move the channel order and the scaling of an origin into `layers["conv1_1"]`, in place.

    Returns the mean that remains to be subtracted, RGB in [0, 1], [3].
    """
    mean, scale, bgr = PREPROCESSING[preprocessing]
    kernel = layers["conv1_1"]["kernel"][:, :, :: -1 if bgr else 1]
    folded = kernel.astype(np.float64) * np.asarray(scale)[:, None]
    layers["conv1_1"] = {"kernel": np.ascontiguousarray(folded, np.float32), "bias": layers["conv1_1"]["bias"]}
    return np.asarray(mean, np.float32)


def from_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return PyTorch's tensors under canonical names and in canonical layouts.

    Args:
        tensors: such as "features.0.weight", "0.weight" or "conv1_1.weight" -> [out, in, h, w]; others are ignored.

    Raises:
        TexjaxError: where numbered layers stand at other positions than those of VGG-16 and VGG-19.
    """
    layers: dict[str, dict[str, np.ndarray]] = {}
    for key, array in tensors.items():
        match = TORCH_NAME.fullmatch(key)
        if match:
            part, values = ("kernel", array.transpose(2, 3, 1, 0)) if array.ndim == 4 else (match[2], array)
            layers.setdefault(match[1], {})[part] = np.ascontiguousarray(values, np.float32)
    if not all(name.isdigit() for name in layers):
        return dict(sorted(layers.items()))
    positions = sorted(map(int, layers))
    for network in BLOCKS:
        names = torchvision_positions(network)
        if positions == list(names)[: len(positions)]:
            return {names[position]: layers[str(position)] for position in positions}
    raise errors.TexjaxError(
        f"it has layers with weights at positions {', '.join(map(str, positions))}, which is neither VGG-16 nor VGG-19 "
        "(nor are their variants with batch normalization); give another file."
    )
