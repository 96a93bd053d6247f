"""Weight files of VGG networks, read into one canonical form whatever their origin.

Canonical weights are a plain dict of float32 NumPy arrays, {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias":
[out]}, ...}: the network takes RGB in [0, 1] and computes conv1_1 on (image - mean). What an origin does to its input
besides, its channel order and its scaling, is folded into conv1_1. That is exact, at a zero-padded edge too, since
every origin pads after its mean is subtracted.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import safetensors

from texjax import atomic, errors
from texjax.features.weights import catalog, origins, torch_files

HDF5 = b"\x89HDF\r\n\x1a\n"


class Weights(NamedTuple):
    """Canonical weights and what is known of them.

    layers: {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias": [out]}, ...}, float32; a layer
        may have a "readout" [out, any], see `vgg.extractor`.
    metadata: network, preprocessing, source and source_sha256 of the original file, normalized: "none" or
        "photographs".
    """

    layers: dict[str, Any]
    metadata: dict[str, str]


def read(path: str | os.PathLike[str], preprocessing: str = "auto", network: str = "") -> Weights:
    """The convolutions of a VGG from a Keras `.h5`, a PyTorch `.pth` or a `.safetensors`, recognized by content.

    preprocessing: what the file's network expects, a key of `origins.PREPROCESSING`; "auto" takes it from the kind
        of file, and for a `.pth` from its name or checksum.
    network: "vgg19" or "vgg16", an error if the file holds the other one; empty takes either.

    Raises TexjaxError for a missing, damaged, malicious or foreign file, and for one whose preprocessing is unknown.
    """
    path = Path(path)
    if preprocessing not in ("auto", *origins.PREPROCESSING):
        raise errors.unknown("preprocessing", preprocessing, ("auto", *origins.PREPROCESSING))
    try:
        found, metadata = _reader(path)(path)
    except errors.TexjaxError as error:
        raise errors.TexjaxError(f"{path}: {error}") from error
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged file makes the parsers of others raise anything
        raise _unusable(path, f"is damaged ({error or type(error).__name__})") from error
    _check(path, found)
    metadata = {"network": _network(path, list(found), network), "normalized": "none", **metadata}
    mean = found.pop("mean", None)
    if mean is None:
        known = catalog.identify(path)
        origin = preprocessing
        if preprocessing == "auto":
            origin = metadata.get("preprocessing") or _known(path, known).preprocessing
        mean = origins.fold(found, origin)
        metadata |= {"preprocessing": origin, "source": path.name, "normalized": known.normalized if known else "none"}
    return Weights({"mean": mean, **found}, metadata)


def _reader(path: Path):
    if not path.is_file():
        raise errors.TexjaxError("there is no such file; give a weight file, or get one with `texjax weights fetch`.")
    with open(path, "rb") as file:
        head = file.read(9)
    if not head:
        raise errors.TexjaxError("the file is empty; get it again, for example with `texjax weights fetch`.")
    if head.startswith(HDF5):
        return _read_keras
    if head.startswith(torch_files.MAGICS):
        return _read_torch
    # safetensors: eight bytes of header length, then JSON.
    if head[8:9] == b"{":
        return _read_safetensors
    raise errors.TexjaxError(
        "this is no weight file; texjax reads Keras .h5, PyTorch .pth (state dicts) and .safetensors files of VGG-16 "
        "and VGG-19."
    )


def _read_keras(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    found = {}
    with h5py.File(path) as file:
        group: Any = file.get("model_weights", file)
        for layer in map(_text, group.attrs["layer_names"]):
            match = origins.KERAS_NAME.fullmatch(layer)
            if match:
                arrays = [np.asarray(group[layer][_text(n)]) for n in group[layer].attrs["weight_names"]]
                kernel, bias = (array.astype(np.float32) for array in arrays)
                found["conv{}_{}".format(*match.groups())] = {"kernel": kernel, "bias": bias}
    return dict(sorted(found.items())), {"preprocessing": "caffe"}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _read_torch(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    return origins.from_torch(torch_files.read(path, origins.TORCH_NAME.fullmatch)), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    with safetensors.safe_open(path, "numpy") as file:
        keys, metadata = list(file.keys()), file.metadata() or {}
        if metadata.get("format") != "texjax":
            tensors = {key: file.get_tensor(key) for key in keys if origins.TORCH_NAME.fullmatch(key)}
            return origins.from_torch(tensors), {"preprocessing": "torchvision"}
        found: dict[str, Any] = {}
        for key in sorted(keys):
            name, _, part = key.partition(".")
            if part:
                found.setdefault(name, {})[part] = file.get_tensor(key)
            else:
                found[name] = file.get_tensor(key)
    return found, {key: value for key, value in metadata.items() if key != "format"}


def _check(path: Path, found: Mapping[str, Any]) -> None:
    """Every layer takes what the one before gives, in finite numbers."""
    channels = 3
    for name, layer in ((name, layer) for name, layer in found.items() if name != "mean"):
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


def _network(path: Path, found: list[str], wanted: str) -> str:
    held = [name for name in found if name != "mean"]
    fitting = [n for n in origins.BLOCKS if held and held == list(origins.names(n).values())[: len(held)]]
    if not fitting:
        raise _unusable(path, f"holds {', '.join(held) or 'no convolutions'}, which does not begin a VGG-16 or VGG-19")
    if wanted and wanted not in fitting:
        raise _unusable(path, f"holds {fitting[0]} and not {wanted}")
    return wanted or fitting[0]


def _known(path: Path, known: catalog.File | None) -> catalog.File:
    if known is None:
        raise errors.TexjaxError(
            f"{path} does not tell which input its network expects; set features.preprocessing to caffe (BGR, 0 to "
            "255) or torchvision (RGB, ImageNet mean and deviation), whichever it was trained with."
        )
    return known


def _unusable(path: Path, why: str) -> errors.TexjaxError:
    return errors.TexjaxError(f"{path} {why}; get the file again, or name another one with features.weights.")


def write(path: str | os.PathLike[str], layers: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Canonical weights as a safetensors file that `read` takes; the same weights give the same bytes."""
    tensors = {}
    for name, value in layers.items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        tensors |= {f"{name}.{part}".rstrip("."): array for part, array in parts}
    save(path, tensors, {**metadata, "format": "texjax"})


def save(path: str | os.PathLike[str], tensors: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
    """Float32 arrays as safetensors, whole or not at all.

    Written here and not by the library, whose order of metadata changes from run to run.
    Raises EnvironmentFault where the disk refuses.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    arrays, end = [np.asarray(tensors[name], "<f4") for name in sorted(tensors)], 0
    for name, array in zip(sorted(tensors), arrays, strict=True):
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    atomic.write(path, b"".join((len(text).to_bytes(8, "little"), text, *(array.tobytes() for array in arrays))))
