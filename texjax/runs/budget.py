"""What fits into memory: tiles and a shorter history of the optimizer, for pictures that would not fit otherwise.

The bytes of a run are estimated from shapes alone, before anything is compiled: those of the process, of the images
that the optimizer holds, and of the network's activations over the largest octave, or over a tile.
"""

import functools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import psutil

from texjax import config as configs
from texjax import errors, pyramid, types
from texjax.runs import machine
from texjax.synthesis import build, crops, devices, optimize, schedule, tiling
from texjax.synthesis import pictures as exemplar_pictures

GIB = 2**30
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
# Where Linux tells a container's limit, and what it uses of it: version 2 of control groups, and version 1.
GROUPS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))

# Measured on CPU. Bytes of Python and the libraries, and of compiling each place that a term looks at, of which so many
# count at most; images that a run takes beside the state of L-BFGS, for a line search, the pyramid, the gradient and
# copies on the host; bytes of an evaluation for each byte of activations.
LIBRARIES, PLACE, MOST_PLACES = 500 * 2**20, 25 * 2**20, 30
ITERATION = 17
ACTIVATIONS = {"xla": 1.4, "onednn": 2.0}
OCTAVES = 4 / 3  # area of all octaves, in that of the first
TILES = (1024, 768, 512, 384, 256)
HISTORIES = (5, 3)  # curvature pairs, where those of the config take too much


class Choice(NamedTuple):
    """How a run is computed. tile: see `config.tile`. history: curvature pairs. memory: bytes that it takes."""

    tile: int
    history: int
    memory: float


def free() -> int:
    """Return the bytes that a run may take: of the accelerator, or else of the machine and of the container."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    # What this process holds already is part of what the run takes.
    own = psutil.Process().memory_info().rss
    return min([psutil.virtual_memory().available, *_left_in_containers(Path("/sys/fs/cgroup"))]) + own


def _left_in_containers(folder: Path) -> Iterator[int]:
    for limit, used in GROUPS:
        try:
            yield int((folder / limit).read_text()) - int((folder / used).read_text())
        except (OSError, ValueError):  # there is no such group, or its limit is "max"
            continue


def parse(text: str) -> int:
    """Return the bytes that a text such as "8GiB", "500 MB" or "2e9" means. Raises TexjaxError for other texts."""
    match = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?) *([kmg]i?)?b?", text.strip().lower())
    try:
        size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    except ValueError:
        size = 0
    if size < 1:
        raise errors.TexjaxError(f"the memory budget is '{text}'; give bytes with a unit, such as 8GiB or 500MB.")
    return size


def fitted(config: configs.Config, pictures: exemplar_pictures.Pictures) -> configs.Config:
    """Return the config with the tile and the history that fit into its budget, and say so where they are others.

    Raises:
        TexjaxError: for a budget that cannot be read, or that nothing fits into although the config names it.
        EnvironmentFault: if nothing fits into the memory that is free.
    """
    choice, available = choose(config, pictures)
    if choice is None:
        least = min((possible.memory for possible in choices(config, pictures)), default=0)
        error = errors.TexjaxError if config.memory_budget else errors.EnvironmentFault
        raise error(
            f"the run takes about {least / GIB:.1f} GiB at least, and {available / GIB:.1f} GiB "
            f"{'are its budget' if config.memory_budget else 'are free'}; {_advice(config, pictures, available)}."
        )
    changes = {}
    layout = devices.layout(config)
    if layout and layout.by_rows and config.features.get("backend") == "auto":
        changes["features.backend"] = "xla"  # oneDNN computes whole pictures
    if choice.tile != config.tile:
        changes["tile"] = choice.tile
    if "history_size" in config.optimizer and choice.history != config.optimizer.history_size:
        changes["optimizer.history_size"] = choice.history
    told = [f"{key} {value}" for key, value in changes.items() if key != "features.backend"]
    if told:
        words = " and ".join(told)
        warnings.warn(
            f"to fit into {available / GIB:.1f} GiB the run has {words}; it takes about {choice.memory / GIB:.1f} GiB.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
    return configs.overridden(config, changes)


def choose(config: configs.Config, pictures: exemplar_pictures.Pictures) -> tuple[Choice | None, int]:
    """Return the first choice that fits, or None, and the bytes that a run may take."""
    available = parse(config.memory_budget) if config.memory_budget else free()
    fitting = (choice for choice in choices(config, pictures) if choice.memory <= available)
    return next(fitting, None), available


def choices(config: configs.Config, pictures: exemplar_pictures.Pictures) -> Iterator[Choice]:
    """Yield the choices from the fastest to the smallest; a tile that the config names is kept."""
    parts = build.parts(config)
    own, layout = config.optimizer.get("history_size", 0), devices.layout(config)
    spread = layout is not None and layout.by_rows  # what is spread over devices is not cut into tiles
    tiles = (config.tile,) if config.tile or spread else (0, *_possible_tiles(config, parts))
    for history in (own, *(shorter for shorter in HISTORIES if shorter < own)):
        for tile in tiles:
            yield Choice(tile, history, memory(config, parts, pictures, tile, history))


def _possible_tiles(config: configs.Config, parts: build.Parts) -> list[int]:
    """The tiles that the terms and the network can be computed in.

    Octaves at which a term counts that does not add over tiles have to fit into one.
    """
    sides = pyramid.sizes(max(config.size), config.octaves, config.pyramid.padding)
    whole = [
        octave
        for term in parts.terms
        if not tiling.adds(term, parts.extractor)
        for octave, _ in term.places(config.octaves)
    ]
    needs = tiling.needs_of(parts.extractor, [(term, layer) for term in parts.terms for layer in term.layers])
    if not needs:
        return []
    least = max([crops.smallest(needs, parts.extractor.circular), *(sides[octave] for octave in whole)])
    return [tile for tile in TILES if least <= tile < max(config.size)]


def memory(
    config: configs.Config, parts: build.Parts, pictures: exemplar_pictures.Pictures, tile: int, history: int
) -> float:
    """Return the bytes that a run takes at its peak, estimated from shapes."""
    together = config.count if config.batch_mode == "vmap" else 1
    width, height = config.size
    image = 4 * optimize.channels(pictures) * width * height * config.frames
    state = config.count * image * (2 * history + 3)
    activations = together * config.frames * _area((height, width), tile) * OCTAVES * _per_pixel(config, parts)
    analyzed = max(_area(picture.shape[:2], tile) for group in pictures.values() for picture in group)
    held = sum(array.nbytes for array in jax.tree.leaves(parts.extractor.weights))
    held += sum(picture.nbytes for group in pictures.values() for picture in group)
    largest = max(activations, analyzed * OCTAVES * _per_pixel(config, parts) / 2)  # a source needs no way back
    layout = devices.layout(config)
    share = layout.mesh.size if layout and jax.default_backend() != "cpu" else 1  # CPU devices share their memory
    return process(config, parts) + 2 * held + (state + together * ITERATION * image + largest) / share


def process(config: configs.Config, parts: build.Parts) -> int:
    """Return the bytes of Python, the libraries and compiled programs."""
    octaves = sum(resolution.config.octaves for resolution in schedule.resolutions(config))
    return LIBRARIES + PLACE * min(MOST_PLACES, octaves * sum(len(term.layers) for term in parts.terms))


def _area(shape: tuple[int, ...], tile: int) -> int:
    height, width = shape
    return min(height, tile) * min(width, tile) if tile else height * width


def _per_pixel(config: configs.Config, parts: build.Parts) -> float:
    """Bytes of an evaluation for each pixel of the image."""
    size = 2 if config.features.get("precision") == "bf16" else 4
    backend = machine.backend(config.features.to_dict()).name
    return ACTIVATIONS[backend] * size * _numbers_per_pixel(parts.extractor, parts.layers)


@functools.lru_cache(maxsize=8)
def _numbers_per_pixel(extractor: types.Extractor, used: tuple[str, ...]) -> float:
    """Activations for each pixel of the image, of all layers down to the deepest that is used."""
    layers = extractor.layers[: max(map(extractor.layers.index, used)) + 1]
    side = max(64, *(extractor.grid(layer).smallest_side() for layer in layers))
    image = jax.ShapeDtypeStruct((side, side, 3), jnp.float32)
    maps = jax.eval_shape(lambda weights, image: extractor.apply(weights, image, layers), extractor.weights, image)
    return sum(array.size for array in maps.values()) / side**2


def _advice(config: configs.Config, pictures: exemplar_pictures.Pictures, available: int) -> str:
    """What to do where nothing fits: the largest picture of the same proportions that does."""
    side = max(config.size)
    for factor in range(31, 0, -1):
        size = tuple(max(1, n * factor // 32) for n in config.size)
        smaller = configs.overridden(config, {"size": size})
        if max(size) < side and any(choice.memory <= available for choice in choices(smaller, pictures)):
            return f"the largest picture that fits has {size[0]} x {size[1]} px: -ow {size[0]} -oh {size[1]}"
    return "give a smaller picture, fewer outputs, or a larger --memory-budget"
