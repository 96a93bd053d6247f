"""What a run would do, before it does: sizes, layers, and an estimate of memory and time."""

import functools
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import checks, pyramid
from texjax import config as configs
from texjax.features import native_library
from texjax.runs import inputs
from texjax.synthesis import build, optimize, schedule
from texjax.synthesis import pictures as exemplar_pictures

# Measured on CPU: the share of a large matrix product's rate that a network's convolutions reach, and the time of an
# iteration in evaluations of the objective.
EFFICIENCY = 0.7
ITERATION = 1.25
# Measured on CPU: how many times as fast an evaluation is where oneDNN computes the network, by its precision.
SPEEDUP = {"float32": 1.2, "tf32": 1.2, "bf16": 3.0}


class Cost(NamedTuple):
    """Estimates for a run: seconds on this device, and bytes."""

    seconds: float
    memory: float


def plan(config: configs.Config, paths: inputs.Paths) -> list[tuple[str, str]]:
    """Return the rows (what, value) of a table, for the arguments of `run.synthesize`, whose errors it raises."""
    parts, pictures = _checked(config, paths)
    estimate = _estimate(config, parts, pictures)
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
        ("optimizer", f"{config.optimizer.name}, at most {config.max_iter} iterations{_before(config)}"),
        ("memory, about", f"{estimate.memory / 2**20:,.0f} MiB"),
        ("time, about", f"{estimate.seconds:,.0f} s, on {jax.devices()[0].device_kind}"),
    ]


def cost(config: configs.Config, paths: inputs.Paths) -> Cost:
    """Return what a run would take, for the arguments of `run.synthesize`, whose errors it raises."""
    return _estimate(config, *_checked(config, paths))


def _checked(config: configs.Config, paths: inputs.Paths) -> tuple[build.Parts, dict[str, list[np.ndarray]]]:
    """The functions of the config and the pictures. Raises TexjaxError for what cannot be run."""
    checks.values(config)
    pictures = inputs.load(config, paths)
    return optimize.check(config, pictures, paths), pictures


def _estimate(config: configs.Config, parts: build.Parts, pictures: exemplar_pictures.Pictures) -> Cost:
    jax.eval_shape(lambda: optimize.start(config, jax.tree.map(jnp.asarray, pictures)))  # raises for a wrong init
    shapes = tuple((group, tuple(image.shape for image in images)) for group, images in pictures.items())
    # The compiler knows what its own convolutions take, and nothing of oneDNN's.
    by_xla = config.copy_and_resolve_references()
    by_xla.features.backend, precision = "xla", config.features.get("precision", "float32")
    by_native = native_library.choose(config.features.backend, precision).name == "onednn"
    flops, temporary, targets = _program(
        configs.freeze(by_xla, without=build.VALUES),
        configs.source_padding(config),
        shapes,
        SPEEDUP[precision] if by_native else 1.0,
    )
    width, height = config.size
    fixed = sum(array.nbytes for array in jax.tree.leaves(parts.extractor.weights)) + targets
    fixed += 4 * 3 * width * height * config.count * config.frames * (2 * config.optimizer.get("history_size", 0) + 6)
    together = config.count if config.batch_mode == "vmap" else 1
    steps = sum(size.config.max_iter / 4**size.below for size in schedule.resolutions(config))
    return Cost(config.count * steps * flops / (EFFICIENCY * _rate()), together * temporary + fixed)


@functools.lru_cache(maxsize=256)
def _program(
    config: configs.Config, source_padding: tuple[str, str], shapes: tuple[tuple[str, Any], ...], speedup: float
) -> tuple[float, int, int]:
    """Operations of an iteration, bytes of temporaries and of targets: the same for all runs that share a program.

    shapes: of the pictures in each group. speedup: of an evaluation, whose operations count as so many fewer.
    """
    parts = build.parts_of_program(config, source_padding)
    pictures = {group: [np.zeros(shape, np.float32) for shape in images] for group, images in shapes}
    arguments = _arguments(config, parts, pictures)
    targets = sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(arguments[-1]))
    return *_step(parts, speedup, *arguments), targets


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


def _arguments(config: configs.Config, parts: build.Parts, pictures: exemplar_pictures.Pictures) -> tuple[Any, ...]:
    """Shapes of the objective's arguments: images, weights and targets."""
    width, height = config.size
    images = jax.ShapeDtypeStruct((config.frames, height, width, 3), jnp.float32)
    targets = {}
    for exemplars in exemplar_pictures.distinct_exemplars(parts.terms, config.octaves):
        summaries = [
            jax.eval_shape(
                functools.partial(parts.objective.summarize, exemplars=exemplars), parts.extractor.weights, picture
            )
            for picture in exemplar_pictures.exemplars(exemplars, pictures)
        ]
        targets |= jax.eval_shape(parts.objective.join, summaries)
    return images, parts.extractor.weights, targets


def _step(parts: build.Parts, speedup: float, *arguments: Any) -> tuple[float, int]:
    """Floating point operations of an iteration, with its share of a refresh, and bytes of temporaries.

    After each refresh the objective is evaluated once more.
    """
    problem = parts.objective

    def refresh(*arguments: Any) -> Any:
        return problem.refresh(*arguments, None, jax.random.key(0), 0)

    choices = jax.eval_shape(refresh, *arguments) if problem.periods else {}
    evaluation, temporary = _cost(jax.value_and_grad(problem.value, has_aux=True), *arguments, choices)
    evaluation /= speedup
    if not problem.periods:
        return ITERATION * evaluation, temporary
    search, temporary_of_search = _cost(refresh, *arguments)
    operations = ITERATION * evaluation + (search + evaluation) / min(problem.periods)
    return operations, max(temporary, temporary_of_search)


def _cost(function: Any, *arguments: Any) -> tuple[float, int]:
    """Floating point operations and bytes of temporaries of a program, compiled but not run: that takes no memory."""
    traced = jax.jit(function).trace(*arguments)
    compiled: Any = traced.lower().compile()
    flops = compiled.cost_analysis()["flops"] + _repeated(traced.jaxpr)
    return flops, compiled.memory_analysis().temp_size_in_bytes


def _repeated(program: Any, times: int = 1) -> float:
    """Operations of all passes through a traced program's loops but the first, as the compiler counts only that one.

    A product and its sum count as two operations, and any other operation counts once for each number it returns.
    """
    flops = 0.0
    for line in program.eqns:
        inner = [part for part in jax.tree.leaves(line.params, is_leaf=_is_program) if _is_program(part)]
        often = times * line.params["length"] if line.primitive.name == "scan" else times
        flops += sum(_repeated(part, often) for part in inner)
        if not inner:
            flops += (times - 1) * _products(line) * sum(out.aval.size for out in line.outvars)
    return flops


def _is_program(part: Any) -> bool:
    return hasattr(part, "eqns")


def _products(line: Any) -> int:
    """Operations for each number that a line of a program returns."""
    if line.primitive.name != "dot_general":
        return 1
    (contracted, _), _ = line.params["dimension_numbers"]
    return 2 * math.prod(line.invars[0].aval.shape[axis] for axis in contracted)


@functools.cache
def _rate() -> float:
    """Floating point operations per second of a matrix product on this device, measured once."""
    n = 2048
    x = jnp.ones((n, n))
    product = jax.jit(jnp.matmul)
    product(x, x).block_until_ready()
    begin = time.perf_counter()
    product(x, x).block_until_ready()
    return 2 * n**3 / (time.perf_counter() - begin)
