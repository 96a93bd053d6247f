"""How the origins of VGG weights differ: in names, layouts and in what their networks do to the input first."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from texjax import errors

BLOCKS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
KERAS_NAME = re.compile(r"block(\d)_conv(\d)")
TORCH_NAME = re.compile(r"(?:module\.)?(?:features\.)?(\d+|conv\d_\d)\.(weight|bias)")


class Preprocessing(NamedTuple):
    """An origin takes scale * (RGB in [0, 1] - mean), its channels reversed where `bgr`."""

    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    bgr: bool = False


PREPROCESSING = {
    "caffe": Preprocessing((123.68 / 255, 116.779 / 255, 103.939 / 255), (255, 255, 255), bgr=True),
    "torchvision": Preprocessing((0.485, 0.456, 0.406), (1 / 0.229, 1 / 0.224, 1 / 0.225)),
    "amdegroot": Preprocessing((0.48235, 0.45882, 0.40784), (255, 255, 255)),
}


def fold(layers: dict[str, Any], preprocessing: str) -> np.ndarray:
    """Move an origin's channel order and scaling into `layers["conv1_1"]`, in place; returns its mean, RGB."""
    mean, scale, bgr = PREPROCESSING[preprocessing]
    kernel = layers["conv1_1"]["kernel"][:, :, :: -1 if bgr else 1]
    folded = kernel.astype(np.float64) * np.asarray(scale)[:, None]
    layers["conv1_1"] = {"kernel": np.ascontiguousarray(folded, np.float32), "bias": layers["conv1_1"]["bias"]}
    return np.asarray(mean, np.float32)


def names(network: str) -> dict[int, str]:
    """The convolutions of a network by their position in torchvision's `features`, in order."""
    position, found = 0, {}
    for block, count in enumerate(BLOCKS[network], start=1):
        for i in range(1, count + 1):
            found[position] = f"conv{block}_{i}"
            position += 2
        position += 1
    return found


def from_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Canonical names and layouts for `features.0.weight`, `0.weight` or `conv1_1.weight`, [out, in, h, w]."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, array in tensors.items():
        match = TORCH_NAME.fullmatch(key)
        if match:
            part = ("kernel", array.transpose(2, 3, 1, 0)) if array.ndim == 4 else (match[2], array)
            found.setdefault(match[1], {})[part[0]] = np.ascontiguousarray(part[1], np.float32)
    if not all(name.isdigit() for name in found):
        return dict(sorted(found.items()))
    positions = sorted(map(int, found))
    for network in BLOCKS:
        table = names(network)
        if positions == list(table)[: len(positions)]:
            return {table[i]: found[str(i)] for i in positions}
    raise errors.TexjaxError(
        f"it has layers with weights at positions {', '.join(map(str, positions))}, which is neither VGG-16 nor VGG-19 "
        "(nor are their variants with batch normalization); give another file."
    )
