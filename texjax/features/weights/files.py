"""Weight files of VGG networks, read into one canonical form whatever their origin.

Canonical weights are a plain dict of float32 NumPy arrays, {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias":
[out]}, ...}. The network takes RGB in [0, 1], subtracts the mean and applies conv1_1. The channel order and the scaling
that an origin applies to its input are folded into conv1_1. That is exact at a zero-padded edge too, because every
origin pads after it has subtracted its mean.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyfive
import safetensors

from texjax import atomic, errors
from texjax.features.weights import catalog, origins, torch_files

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# HDF5's address of data that is not in the file, and its class of arrays that are put together from other arrays.
UNDEFINED, VIRTUAL = 2**64 - 1, 3
LARGEST = 3 * 3 * 512 * 512  # numbers in a kernel of VGG-16 and VGG-19


class Weights(NamedTuple):
    """Canonical weights and what is known about them.

    layers: {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias": [out]}, ...}, float32; a layer
        may have a "readout" [out, any], see `vgg.extractor`.
    metadata: network, preprocessing, source and source_sha256 of the original file, normalized: "none" or
        "photographs".
    """

    layers: dict[str, Any]
    metadata: dict[str, str]


def read(path: str | os.PathLike[str], preprocessing: str = "auto", network: str = "") -> Weights:
    """Read the convolutions of a VGG from a Keras `.h5`, a PyTorch `.pth` or a `.safetensors`, recognized by content.

    Args:
        path: the file.
        preprocessing: the input that the file's network expects, a key of `origins.PREPROCESSING`; "auto" takes it from
            the format, and for a `.pth` from the name or the checksum.
        network: "vgg19" or "vgg16", an error if the file holds the other one; empty takes either.

    Raises:
        TexjaxError: for a missing, damaged or malicious file, for one that holds no VGG, and for unknown preprocessing.
    """
    path = Path(path)
    if preprocessing not in ("auto", *origins.PREPROCESSING):
        raise errors.unknown("preprocessing", preprocessing, ("auto", *origins.PREPROCESSING))
    layers, metadata = _parse(path)
    _check(path, layers)
    metadata = {"network": _network(path, list(layers), network), "normalized": "none", **metadata}
    mean = layers.pop("mean", None)
    if mean is None:  # not a file that texjax has written
        published = catalog.identify(path)
        origin = preprocessing
        if preprocessing == "auto":
            origin = metadata.get("preprocessing") or _preprocessing(path, published)
        mean = origins.fold(layers, origin)
        normalized = published.normalized if published else "none"
        metadata |= {"preprocessing": origin, "source": path.name, "normalized": normalized}
    return Weights({"mean": mean, **layers}, metadata)


def _parse(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The layers and the metadata as the file has them. Raises TexjaxError, whatever the parser raises."""
    try:
        return _parser(path)(path)
    except errors.TexjaxError as error:
        raise errors.TexjaxError(f"{path}: {error}") from error
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # on a damaged file the parsing libraries raise anything
        raise _unusable(path, f"is damaged ({error or type(error).__name__})") from error


def _parser(path: Path):
    """The function that parses files of this format."""
    if not path.is_file():
        raise errors.TexjaxError("there is no such file; give a weight file, or get one with `texjax weights fetch`.")
    with open(path, "rb") as file:
        head = file.read(9)
    if not head:
        raise errors.TexjaxError("the file is empty; get it again, for example with `texjax weights fetch`.")
    catalog.check(path)
    if head.startswith(HDF5_MAGIC):
        return _parse_keras
    if head.startswith(torch_files.MAGICS):
        return _parse_torch
    # A safetensors file begins with the length of its header in eight bytes, followed by JSON.
    if head[8:9] == b"{":
        return _parse_safetensors
    raise errors.TexjaxError(
        "this is no weight file; texjax reads Keras .h5, PyTorch .pth (state dicts) and .safetensors files of VGG-16 "
        "and VGG-19."
    )


def _parse_keras(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    # pyfive is written in Python: the C library loops forever on some damaged files, and follows links to others.
    layers = {}
    with pyfive.File(str(path)) as file:
        group: Any = file.get("model_weights", file)
        for name in map(_text, group.attrs["layer_names"]):
            match = origins.KERAS_NAME.fullmatch(name)
            if match:
                arrays = [_hdf5_array(group[name], _text(key)) for key in group[name].attrs["weight_names"]]
                kernel, bias = (array.astype(np.float32) for array in arrays)
                layers["conv{}_{}".format(*match.groups())] = {"kernel": kernel, "bias": bias}
    return dict(sorted(layers.items())), {"preprocessing": "caffe"}


def _hdf5_array(group: Any, key: str) -> np.ndarray:
    """The array of a group. HDF5 can claim any size in a few bytes, and pyfive follows no links to other files."""
    data = group[key]
    external = getattr(data.id, "data_offset", 0) == UNDEFINED or data.id.layout_class == VIRTUAL
    if external or not isinstance(data, pyfive.Dataset):
        raise errors.TexjaxError(f"its array {key} lies in another file; get the file from its original address.")
    if data.size is None or data.size > LARGEST:
        raise errors.TexjaxError(
            f"its array {key} has the shape {list(data.shape or ())}, and no VGG has one so large."
        )
    return np.asarray(data[...])


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _parse_torch(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    return origins.from_torch(torch_files.read(path, origins.TORCH_NAME.fullmatch)), {}


def _parse_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    with safetensors.safe_open(path, "numpy") as file:
        keys, metadata = list(file.keys()), file.metadata() or {}
        if metadata.get("format") != "texjax":
            tensors = {key: file.get_tensor(key) for key in keys if origins.TORCH_NAME.fullmatch(key)}
            return origins.from_torch(tensors), {"preprocessing": "torchvision"}
        layers: dict[str, Any] = {}
        for key in sorted(keys):
            name, _, part = key.partition(".")
            if part:
                layers.setdefault(name, {})[part] = file.get_tensor(key)
            else:
                layers[name] = file.get_tensor(key)
    if metadata.get("sha256", _digest(layers)) != _digest(layers):
        raise errors.TexjaxError("the file is damaged, as its numbers are not those that were written; get it again.")
    return layers, {key: value for key, value in metadata.items() if key not in ("format", "sha256")}


def _digest(layers: Mapping[str, Any]) -> str:
    """The SHA-256 of all arrays, in the order of their names."""
    sha = hashlib.sha256()
    for _, array in sorted(_tensors(layers).items()):
        sha.update(np.ascontiguousarray(array, "<f4").view(np.uint8).data)
    return sha.hexdigest()


def _tensors(layers: Mapping[str, Any]) -> dict[str, Any]:
    """Canonical layers as arrays by name, such as "conv1_1.kernel"."""
    tensors = {}
    for name, value in layers.items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        tensors |= {f"{name}.{part}".rstrip("."): array for part, array in parts}
    return tensors


def _check(path: Path, layers: Mapping[str, Any]) -> None:
    """Raise TexjaxError unless each layer takes the channels of the layer before, and all numbers are finite."""
    channels = 3
    for name, layer in ((name, layer) for name, layer in layers.items() if name != "mean"):
        if not isinstance(layer, dict) or set(layer) - {"readout"} != {"kernel", "bias"}:
            raise _unusable(path, f"holds no kernel and bias for {name}")
        kernel, bias = layer["kernel"], layer["bias"]
        expected = (3, 3, channels, bias.shape[0]) if bias.ndim == 1 else ()
        if kernel.shape != expected:
            raise _unusable(
                path,
                f"has {name} with kernel {list(kernel.shape)} and bias {list(bias.shape)} where "
                f"[3, 3, {channels}, out] and [out] are needed",
            )
        readout = layer.get("readout", bias[:, None])
        if readout.ndim != 2 or len(readout) != len(bias):
            raise _unusable(path, f"has {name} with a readout {list(readout.shape)} for {len(bias)} channels")
        if not all(np.isfinite(array).all() for array in layer.values()):
            raise _unusable(path, f"has numbers in {name} that are not finite")
        channels = bias.shape[0]


def _network(path: Path, names: list[str], wanted: str) -> str:
    """The network whose first convolutions have these names: the wanted one, or the first that fits."""
    stored = [name for name in names if name != "mean"]
    fitting = [
        network for network in origins.BLOCKS if stored and stored == origins.convolution_names(network)[: len(stored)]
    ]
    if not fitting:
        names_text = ", ".join(stored) or "no convolutions"
        raise _unusable(path, f"holds {names_text}, and the first convolutions of VGG-16 or VGG-19 are needed")
    if wanted and wanted not in fitting:
        raise _unusable(path, f"holds {fitting[0]} and not {wanted}")
    return wanted or fitting[0]


def _preprocessing(path: Path, published: catalog.File | None) -> str:
    if published is None:
        raise errors.TexjaxError(
            f"{path} does not say which input its network expects; set features.preprocessing to caffe (BGR, 0 to "
            "255) or torchvision (RGB, ImageNet mean and deviation), whichever it was trained with."
        )
    return published.preprocessing


def _unusable(path: Path, why: str) -> errors.TexjaxError:
    return errors.TexjaxError(f"{path} {why}; get the file again, or name another one with features.weights.")


def write(path: str | os.PathLike[str], layers: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write canonical weights as a safetensors file that `read` reads; the same weights give the same bytes.

    Raises EnvironmentFault where the file cannot be written.
    """
    save(path, _tensors(layers), {**metadata, "format": "texjax", "sha256": _digest(layers)})


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Write float32 arrays as a safetensors file, whole or not at all.

    The library itself would order the metadata differently from run to run.

    Raises EnvironmentFault where the file cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    arrays, end = [np.asarray(tensors[name], "<f4") for name in sorted(tensors)], 0
    for name, array in zip(sorted(tensors), arrays, strict=True):
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    atomic.write(path, b"".join((len(text).to_bytes(8, "little"), text, *(array.tobytes() for array in arrays))))
