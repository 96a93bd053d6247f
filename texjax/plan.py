"""What a run would do, before it does: sizes, layers, and an estimate of memory and time."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from texjax import assembly, pictures, pyramid, run, schedule
from texjax import config as configs

# Measured on CPU: what a network's convolutions reach of a large matrix product's rate, and an iteration's time in
# evaluations of the objective.
EFFICIENCY = 0.7
ITERATION = 1.25


def plan(
    config: configs.Config, paths: Sequence[Path], others: Mapping[str, Sequence[Path]] = pictures.NONE
) -> list[tuple[str, str]]:
    """Rows of a table, (what, value), for the arguments of `run.synthesize`, whose errors it raises."""
    made, groups, names = run.prepared(config, paths, others)
    arrays = {of: [jnp.asarray(picture) for picture in group] for of, group in groups.items()}
    jax.eval_shape(lambda: run.start(config, arrays["sources"], arrays))  # raises for a wrong init
    width, height = config.size
    frames = f"{config.frames} frames x " if config.frames > 1 else ""
    frozen = jax.tree.leaves(made.extractor.weights)
    compiled = _compile(config, made, groups)
    flops, temporary = _cost(compiled)
    fixed = sum(a.nbytes for a in frozen) + 4 * 3 * width * height * config.count * config.frames * (
        2 * config.optimizer.get("history_size", 0) + 6
    )
    together = config.count if config.batch_mode == "vmap" else 1
    steps = sum(scale.config.max_iter / 4**scale.below for scale in schedule.scales(config))
    seconds = config.count * steps * ITERATION * flops / (EFFICIENCY * _rate())
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
        ("memory, about", f"{(together * temporary + fixed) / 2**20:,.0f} MiB"),
        ("time, about", f"{seconds:,.0f} s, of {jax.devices()[0].device_kind}"),
    ]


def _octaves(config: configs.Config, made: assembly.Parts) -> list[tuple[str, str]]:
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


def _compile(config: configs.Config, made: assembly.Parts, groups: pictures.Groups) -> Any:
    """One evaluation of the objective, compiled but not run: that takes no memory.

    One source stands for all, as only the nearest-patch loss has a larger target of several.
    """
    width, height = config.size
    images = jax.ShapeDtypeStruct((config.frames, height, width, 3), jnp.float32)
    targets, one = {}, {**groups, "sources": groups["sources"][:1]}
    for look in made.looks:
        seen = pictures.seen(look, one)
        kept = [jax.eval_shape(made.summarize, made.extractor.weights, picture, look=look) for picture in seen]
        targets |= jax.eval_shape(made.join, kept)
    evaluate = jax.value_and_grad(made.value, has_aux=True)
    return jax.jit(evaluate).lower(images, made.extractor.weights, targets).compile()


def _cost(compiled: Any) -> tuple[float, int]:
    """Floating point operations and bytes of temporaries."""
    return compiled.cost_analysis()["flops"], compiled.memory_analysis().temp_size_in_bytes


def _rate() -> float:
    """Floating point operations per second of a matrix product on this device, now."""
    n = 2048
    x = jnp.ones((n, n))
    product = jax.jit(jnp.matmul)
    product(x, x).block_until_ready()
    begin = time.perf_counter()
    product(x, x).block_until_ready()
    return 2 * n**3 / (time.perf_counter() - begin)
