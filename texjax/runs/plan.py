"""What a run would do, before it does: sizes, layers, and an estimate of memory and time."""

import time

import jax
import numpy as np

from texjax import checks, pyramid
from texjax import config as configs
from texjax.runs import budget, estimates, inputs, machine
from texjax.synthesis import build, optimize, schedule

SIDES = (512, 1024, 2048, 4096, 8192)  # pixels of the longer side, in the table of sizes


def plan(config: configs.Config, paths: inputs.Paths) -> list[tuple[str, str]]:
    """Return the rows (what, value) of a table, for the arguments of `run.synthesize`, whose errors it raises."""
    paths = inputs.with_start(config, paths)
    return _rows(paths, *_checked(config, paths))


def plan_with_sizes(
    config: configs.Config, paths: inputs.Paths
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str, str]]]:
    """Return the rows of `plan` and, for pictures of other sizes, rows of size, tile, curvature pairs and memory."""
    paths = inputs.with_start(config, paths)
    checked = _checked(config, paths)
    return _rows(paths, *checked), _sizes(config, checked[2])


def _rows(
    paths: inputs.Paths,
    config: configs.Config,
    parts: build.Parts,
    pictures: dict[str, list[np.ndarray]],
    reading: tuple[float, int],
) -> list[tuple[str, str]]:
    """The rows of `plan`, from what `_checked` returns."""
    estimate = estimates.cost(config, parts, pictures, reading)
    width, height = config.size
    frames = f"{config.frames} frames x " if config.frames > 1 else ""
    weights = jax.tree.leaves(parts.extractor.weights)
    return [
        ("output", f"{config.count} x {frames}{width} x {height} px"),
        *(
            (f"{'source' if group == 'sources' else group} {path}", f"{image.shape[1]} x {image.shape[0]} px")
            for group, images in pictures.items()
            for path, image in zip(paths[group], images, strict=True)
        ),
        ("network", f"{config.features.name}, {sum(array.size for array in weights):,} parameters"),
        *_octaves(config, parts),
        *([("tiles", f"{config.tile} px, for octaves that are larger")] if 0 < config.tile < max(config.size) else []),
        ("optimizer", f"{config.optimizer.name}, at most {config.max_iter} iterations{_before(config)}"),
        ("memory, about", f"{estimate.memory / 2**20:,.0f} MiB"),
        ("time, about", f"{estimate.seconds:,.0f} s, {estimate.once:,.0f} s of it to start and compile"),
        ("on", f"{jax.devices()[0].device_kind}, with nothing compiled before"),
    ]


def _sizes(config: configs.Config, pictures: dict[str, list[np.ndarray]]) -> list[tuple[str, str, str, str]]:
    """The rows of sizes, for pictures of the config's proportions."""
    rows = []
    for longer in SIDES:
        size = tuple(max(1, round(n * longer / max(config.size))) for n in config.size)
        choice, _ = budget.choose(configs.overridden(config, {"size": size}), pictures)
        if choice is None:
            cells = "", "", "does not fit"
        else:
            cells = str(choice.tile or "none"), str(choice.history), f"{choice.memory / 2**30:.1f} GiB"
        rows.append(("{} x {} px".format(*size), *cells))
    return rows


def cost(config: configs.Config, paths: inputs.Paths) -> estimates.Cost:
    """Return what a run would take, for the arguments of `run.synthesize`, whose errors it raises."""
    return estimates.cost(*_checked(config, inputs.with_start(config, paths)))


def _checked(
    config: configs.Config, paths: inputs.Paths
) -> tuple[configs.Config, build.Parts, dict[str, list[np.ndarray]], tuple[float, int]]:
    """The config as it fits, its functions, the pictures, and seconds and peak bytes of reading them.

    Raises TexjaxError for what cannot be run.
    """
    checks.values(config)
    estimates.process()
    begin, before = time.perf_counter(), machine.peak_memory()
    pictures, _, config = inputs.load_with_alpha(config, paths)
    seconds, peak = time.perf_counter() - begin, machine.peak_memory()
    reading = (seconds, peak if peak > before else 0)  # a process that has held more before does not tell
    config = budget.fitted(config, pictures)
    return config, optimize.check(config, pictures, paths), pictures, reading


def _octaves(config: configs.Config, parts: build.Parts) -> list[tuple[str, str]]:
    """The size of each octave, and the size of every layer that is used there."""
    sides = [pyramid.sizes(n, config.octaves, config.pyramid.padding) for n in config.size]
    rows = []
    for octave, (width, height) in enumerate(zip(*sides, strict=True)):
        used = {layer for term in parts.terms for at, layer in term.places(config.octaves) if at == octave}
        grids = {layer: parts.extractor.grid(layer) for layer in parts.layers if layer in used}
        layers = ", ".join(f"{layer} {grid.size(width)} x {grid.size(height)}" for layer, grid in grids.items())
        rows.append((f"octave {octave}", f"{width} x {height} px: {layers or 'not used'}"))
    return rows


def _before(config: configs.Config) -> str:
    """The iterations at smaller sizes, before the full size."""
    coarse = schedule.resolutions(config)[:-1]
    sizes = (f"{c.config.max_iter} at {c.config.size[0]} x {c.config.size[1]} px" for c in coarse)
    return f", after {', '.join(sizes)}" if coarse else ""
