"""What a run would do, before it does: sizes, layers, and an estimate of memory and time."""

import functools
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import pyramid
from texjax.runs import inputs, run
from texjax.synthesis import build, objective, schedule

# Measured on CPU: what a network's convolutions reach of a large matrix product's rate, and an iteration's time in
# evaluations of the objective.
EFFICIENCY = 0.7
ITERATION = 1.25


class Cost(NamedTuple):
    """Of a run, about: seconds on this device, and bytes."""

    seconds: float
    memory: float


def plan(
    config: configs.Config, paths: Sequence[Path], others: Mapping[str, Sequence[Path]] = inputs.NONE
) -> list[tuple[str, str]]:
    """Rows of a table, (what, value), for the arguments of `run.synthesize`, whose errors it raises."""
    made, groups, names = run.prepared(config, paths, others)
    found = _cost_of(config, made, groups)
    width, height = config.size
    frames = f"{config.frames} frames x " if config.frames > 1 else ""
    frozen = jax.tree.leaves(made.extractor.weights)
    return [
        ("output", f"{config.count} x {frames}{width} x {height} px"),
        *(
            (f"{'source' if of == 'sources' else of} {path}", f"{a.shape[1]} x {a.shape[0]} px")
            for of, group in groups.items()
            for path, a in zip(names[of], group, strict=True)
        ),
        ("network", f"{config.features.name}, {sum(a.size for a in frozen):,} parameters"),
        *_octaves(config, made),
        ("optimizer", f"{config.optimizer.name}, at most {config.max_iter} iterations{_before(config)}"),
        ("memory, about", f"{found.memory / 2**20:,.0f} MiB"),
        ("time, about", f"{found.seconds:,.0f} s, of {jax.devices()[0].device_kind}"),
    ]


def cost(config: configs.Config, paths: Sequence[Path], others: Mapping[str, Sequence[Path]] = inputs.NONE) -> Cost:
    """What a run would take, for the arguments of `run.synthesize`, whose errors it raises."""
    made, groups, _ = run.prepared(config, paths, others)
    return _cost_of(config, made, groups)


def _cost_of(config: configs.Config, made: build.Parts, groups: inputs.Groups) -> Cost:
    arrays = {of: [jnp.asarray(picture) for picture in group] for of, group in groups.items()}
    jax.eval_shape(lambda: run.start(config, arrays["sources"], arrays))  # raises for a wrong init
    shapes = tuple((of, tuple(picture.shape for picture in group)) for of, group in groups.items())
    flops, temporary, targets = _program(configs.freeze(config, without=build.VALUES), shapes)
    width, height = config.size
    fixed = sum(a.nbytes for a in jax.tree.leaves(made.extractor.weights)) + targets
    fixed += 4 * 3 * width * height * config.count * config.frames * (2 * config.optimizer.get("history_size", 0) + 6)
    together = config.count if config.batch_mode == "vmap" else 1
    steps = sum(scale.config.max_iter / 4**scale.below for scale in schedule.scales(config))
    return Cost(config.count * steps * flops / (EFFICIENCY * _rate()), together * temporary + fixed)


@functools.lru_cache(maxsize=256)
def _program(config: configs.Config, shapes: tuple[tuple[str, Any], ...]) -> tuple[float, int, int]:
    """Operations of an iteration, bytes of temporaries and of targets: the same for all runs that share a program.

    shapes: of the groups of pictures.
    """
    made = build.parts(config)
    groups = {of: [np.zeros(shape, np.float32) for shape in group] for of, group in shapes}
    inputs = _inputs(config, made, groups)
    targets = sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(inputs[-1]))
    return *_step(made, *inputs), targets


def _octaves(config: configs.Config, made: build.Parts) -> list[tuple[str, str]]:
    """Per octave its size and the size of every layer used there."""
    sides = [pyramid.sizes(n, config.octaves, config.pyramid.padding) for n in config.size]
    rows = []
    for octave, (width, height) in enumerate(zip(*sides, strict=True)):
        used = {layer for term in made.terms for at, layer in term.places(config.octaves) if at == octave}
        grids = {layer: made.extractor.grid(layer) for layer in made.layers if layer in used}
        layers = ", ".join(f"{layer} {grid.size(width)} x {grid.size(height)}" for layer, grid in grids.items())
        rows.append((f"octave {octave}", f"{width} x {height} px: {layers or 'not used'}"))
    return rows


def _before(config: configs.Config) -> str:
    """What the schedule puts before the full size."""
    coarse = schedule.scales(config)[:-1]
    sizes = (f"{s.config.max_iter} at {s.config.size[0]} x {s.config.size[1]} px" for s in coarse)
    return f", after {', '.join(sizes)}" if coarse else ""


def _inputs(config: configs.Config, made: build.Parts, groups: inputs.Groups) -> tuple[Any, Any, Any]:
    """Shapes of what the objective takes: images, weights and targets.

    One source stands for all, but for losses that search patches: their bank is of all sources and copies.
    """
    width, height = config.size
    images = jax.ShapeDtypeStruct((config.frames, height, width, 3), jnp.float32)
    targets = {}
    for look in made.looks:
        seen = inputs.seen(look, groups)
        of_look = [term for term in made.terms if term.look == look]
        targets |= _targets(made, look, seen, [term.name for term in of_look if term.loss.prepare])
        few = seen[:1] if look.of == "sources" else seen
        targets |= _targets(made, look, few, [term.name for term in of_look if not term.loss.prepare])
    return images, made.extractor.weights, targets


def _targets(made: build.Parts, look: objective.Look, seen: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """Shapes of the targets of those terms, of one look, where the pictures `seen` are all that there are."""
    if not names:
        return {}
    kept = [jax.eval_shape(made.summarize, made.extractor.weights, picture, look=look) for picture in seen]
    return jax.eval_shape(made.join, [{name: of[name] for name in names} for of in kept])


def _step(made: build.Parts, *inputs: Any) -> tuple[float, int]:
    """Floating point operations of an iteration, with its share of what holds for several, and bytes of temporaries.

    Before a period's first step what holds is prepared, and the objective evaluated once more.
    """

    def prepare(*inputs: Any) -> Any:
        return made.prepare(*inputs, None, 0)

    held = jax.eval_shape(prepare, *inputs)
    value, room = _cost(jax.value_and_grad(made.value, has_aux=True), *inputs, held)
    if not made.periods:
        return ITERATION * value, room
    anew, more = _cost(prepare, *inputs)
    return ITERATION * value + (anew + value) / min(made.periods), max(room, more)


def _cost(function: Any, *inputs: Any) -> tuple[float, int]:
    """Floating point operations and bytes of temporaries of a program, compiled but not run: that takes no memory."""
    traced = jax.jit(function).trace(*inputs)
    compiled: Any = traced.lower().compile()
    flops = compiled.cost_analysis()["flops"] + _repeated(traced.jaxpr)
    return flops, compiled.memory_analysis().temp_size_in_bytes


def _repeated(program: Any, times: int = 1) -> float:
    """Operations of the passes through a traced program's loops but the first, which the compiler counts.

    Two for a product of two numbers and its sum, and else one for a number that comes out.
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
    """Operations for each number that a line of a program gives."""
    if line.primitive.name != "dot_general":
        return 1
    (contracted, _), _ = line.params["dimension_numbers"]
    return 2 * math.prod(line.invars[0].aval.shape[axis] for axis in contracted)


@functools.cache
def _rate() -> float:
    """Floating point operations per second of a matrix product on this device, as first measured."""
    n = 2048
    x = jnp.ones((n, n))
    product = jax.jit(jnp.matmul)
    product(x, x).block_until_ready()
    begin = time.perf_counter()
    product(x, x).block_until_ready()
    return 2 * n**3 / (time.perf_counter() - begin)
