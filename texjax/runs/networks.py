"""Files of trained generators: one safetensors file holds the parameters, and the config they were trained by."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.traverse_util
import jax
import numpy as np
import safetensors

from texjax import config as configs
from texjax import errors, types
from texjax.features.weights import files
from texjax.optimizers import ranges
from texjax.runs import resume
from texjax.synthesis import training

SUFFIX = ".safetensors"
FORMAT = "texjax-network"
SEPARATOR = "/"


class Network(NamedTuple):
    """A trained generator.

    config: of its training. channels: of its pictures. sources: names of the textures, or styles. handling: what turns
    the generator's variables into images.
    """

    config: configs.Config
    channels: int
    sources: tuple[str, ...]
    generator: types.Generator
    handling: ranges.Range
    weights: types.Weights


def network(config: configs.Config, channels: int, sources: Sequence[str], weights: types.Weights) -> Network:
    """Return the network of a config with these weights."""
    generator = training.build_generator(config, channels, len(sources))
    return Network(config, channels, tuple(sources), generator, training.to_images(config), weights)


def write(path: Path, config: configs.Config, channels: int, sources: Sequence[str], weights: types.Weights) -> None:
    """Write a network, as a whole or not at all; the same network gives the same bytes.

    Raises:
        EnvironmentFault: If the file cannot be written.
    """
    arrays = {key: np.asarray(value) for key, value in _flat(weights).items()}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(config.to_dict(), sort_keys=True),
        "channels": str(channels),
        "sources": json.dumps(list(sources)),
    }
    metadata["sha256"] = _digest(arrays, metadata)
    files.save(path, arrays, metadata)


def read(path: Path) -> Network:
    """Read a network that `write` wrote.

    Raises:
        TexjaxError: If there is no such file, if it is damaged, or if it holds something else.
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, a file is no mapping
    except FileNotFoundError:
        raise errors.TexjaxError(
            f"{path} does not exist; give the network.safetensors of a training, see texjax train."
        ) from None
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise errors.TexjaxError(f"{path} cannot be read as a network ({text}); train it again.") from error
    if metadata.get("format") != FORMAT:
        raise errors.TexjaxError(f"{path} holds no trained generator; give the network.safetensors of a training.")
    if metadata.get("sha256") != _digest(arrays, metadata):
        raise errors.TexjaxError(f"{path} is damaged, as its content is not what was written; train it again.")
    try:
        config = resume.config_of_json(json.loads(metadata["config"]))
        loaded = network(config, int(metadata["channels"]), json.loads(metadata["sources"]), {})
        weights = flax.traverse_util.unflatten_dict(arrays, sep=SEPARATOR)
        wanted = jax.eval_shape(loaded.generator.init, jax.random.key(0))
        if _shapes(weights) != _shapes(wanted):
            raise ValueError("its parameters are not those of its generator")
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise errors.TexjaxError(f"{path} is no network of this version ({text}); train it again.") from error
    return loaded._replace(weights=weights)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flat(weights: types.Weights) -> dict[str, Any]:
    return flax.traverse_util.flatten_dict(weights, sep=SEPARATOR)


def _shapes(weights: types.Weights) -> dict[str, Any]:
    return {key: (tuple(value.shape), np.dtype(value.dtype).name) for key, value in _flat(weights).items()}


def _digest(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    """The SHA-256 of all arrays in the order of their names, and of what is said of them."""
    sha = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        sha.update(key.encode())
        sha.update(np.ascontiguousarray(array).view(np.uint8).data)
    said = {key: value for key, value in metadata.items() if key != "sha256"}
    sha.update(json.dumps(said, sort_keys=True).encode())
    return sha.hexdigest()
