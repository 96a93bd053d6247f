"""One run: config -> objects -> loop -> files. Below this module nothing sees a ConfigDict."""

import functools
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict, FrozenConfigDict

from texjax import (
    config as configs,
)
from texjax import (
    errors,
    features,
    images,
    inits,
    losses,
    objective,
    optimizers,
    records,
    synthesis,
    types,
)

# Keys that choose values but no program: runs that differ in these alone share their compilations.
VALUES = ("seed", "init", "source", "output", "max_iter", "tol", "patience")
FORMATS = {"png": (8, 16), "jpg": (8,), "tiff": (8, 16)}


class Parts(NamedTuple):
    """What a config describes, as functions. layers: used by any term, shallow to deep."""

    extractor: types.Extractor
    terms: tuple[objective.Term, ...]
    layers: tuple[str, ...]
    minimizer: types.Minimizer
    advance: Callable[..., Any]
    summarize: Callable[..., Any]
    join: Callable[..., Any]
    value: Callable[..., Any]


class Result(NamedTuple):
    """How a run ended: "finished", "converged", "stalled" or "interrupted", after `steps` steps, with these pictures."""

    status: str
    steps: int
    loss: float
    paths: list[Path]


def check(config: ConfigDict) -> None:
    """Raises TexjaxError for a number, size or format that no run can have."""
    if len(config.size) != 2:
        raise errors.TexjaxError(f"size is {tuple(config.size)}; give two numbers, width and height in pixels.")
    lowest = {"octaves": 1, "max_iter": 1, "save_every": 1, "count": 1, "patience": 1, "tol": 0, "seed": 0}
    found = [("width", config.size[0], 1), ("height", config.size[1], 1)]
    found += [(key, config[key], low) for key, low in lowest.items()]
    found += [
        (f"source.{key}", config.source[key], low) for key, low in (("width", 0), ("scale", 0), ("max_pixels", 1))
    ]
    for key, got, low in found:
        if isinstance(got, bool) or not low <= got < 2**31:
            raise errors.TexjaxError(f"{key} is {got}; give a number from {low} up.")
    if len(config.source.background) != 3 or not all(0 <= c <= 1 for c in config.source.background):
        raise errors.TexjaxError(
            f"source.background is {tuple(config.source.background)}; give three numbers in [0, 1]."
        )
    if config.output.format not in FORMATS:
        raise errors.unknown("output format", config.output.format, FORMATS)
    if config.output.bits not in FORMATS[config.output.format]:
        raise errors.TexjaxError(
            f"output.bits is {config.output.bits}, and {config.output.format} files have "
            f"{' or '.join(map(str, FORMATS[config.output.format]))}; use one of these, or another output.format."
        )


def parts(config: ConfigDict) -> Parts:
    """The functions that `config` describes; equal programs are made, and compiled, once."""
    return _parts(configs.freeze(config, without=VALUES))


@functools.lru_cache(maxsize=4)
def _parts(config: FrozenConfigDict) -> Parts:
    extractor = configs.build(features, config.features)
    terms = tuple(_term(name, spec) for name, spec in config.terms.items())
    used = {layer for term in terms for _, layer in term.places(config.octaves)}
    for layer in used:
        extractor.grid(layer)  # raises where there is no such layer
    made = objective.objective(extractor, terms, config.octaves, config.pyramid.padding)
    minimizer = configs.build(optimizers, config.optimizer, made.value)
    return Parts(
        extractor,
        terms,
        tuple(layer for layer in extractor.layers if layer in used),
        minimizer,
        synthesis.program(minimizer, config.save_every, config.batch_mode),
        jax.jit(made.summarize),
        made.join,
        made.value,
    )


def _term(name: str, spec: Any) -> objective.Term:
    """A line of `config.terms`: the term's own keys apart, the rest are settings of its loss."""
    rest = {key: value for key, value in spec.items() if key not in ("weight", "layers", "octave_weights")}
    return objective.Term(name, configs.build(losses, rest), spec.weight, dict(spec.layers), tuple(spec.octave_weights))


def load(config: ConfigDict, paths: Sequence[Path]) -> list[np.ndarray]:
    """The sources, [h, w, 3] each, resized as the config says."""
    source = config.source
    return [
        images.load(
            path,
            background=tuple(source.background),
            max_pixels=source.max_pixels,
            scale=source.scale or None,
            width=source.width or None,
        )
        for path in paths
    ]


def check_sizes(config: ConfigDict, made: Parts, sources: Sequence[np.ndarray], paths: Sequence[Path]) -> None:
    """Raises TexjaxError where the output or a source has no room for the octaves and layers."""
    named = [("the output", tuple(config.size))]
    named += [(f"source {path}", image.shape[1::-1]) for path, image in zip(paths, sources, strict=True)]
    for what, size in named:
        objective.check_size(what, size, made.extractor, made.terms, config.octaves, config.pyramid.padding)


def start(config: ConfigDict, sources: Sequence[types.Image]) -> types.Images:
    """The images to start from, [count, 1, h, w, 3]; each output has noise of its own, whatever the count."""
    width, height = config.size
    key = jax.random.key(config.seed)
    init = [
        configs.build(inits, config.init, jax.random.fold_in(key, i), (height, width), sources)
        for i in range(config.count)
    ]
    return jnp.stack(init)[:, None]


def targets(made: Parts, sources: Sequence[types.Image]) -> Any:
    """What the terms compare with; one source's features are in memory at a time."""
    return made.join([jax.block_until_ready(made.summarize(made.extractor.weights, source)) for source in sources])


def synthesize(
    config: ConfigDict,
    paths: Sequence[Path],
    directory: Callable[[Parts], Path],
    watch: Callable[[synthesis.Iterate], None] = lambda iterate: None,
) -> Result:
    """Make pictures with the look of the sources, and the records of how, in a run directory.

    paths: of the sources. directory: called once everything has been checked, to make the directory. watch: called with
    every iterate. An interrupt (Ctrl-C) ends the run and keeps what it had.

    Raises TexjaxError for what cannot be run, before anything is written.
    """
    check(config)
    arrays = load(config, paths)
    made = parts(config)
    check_sizes(config, made, arrays, paths)
    where = directory(made)
    sources = [jnp.asarray(array) for array in arrays]
    about = {
        "config": config.to_dict(),
        "sources": [{"name": p.name, "sha256": _digest(a)} for p, a in zip(paths, arrays, strict=True)],
        "weights_sha256": _digest(*jax.tree.leaves(made.extractor.weights)),
    }
    record = {
        "command": shlex.join(sys.argv),
        "source_paths": [str(path) for path in paths],
        "seed": config.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **{key: value for key, value in about.items() if key != "config"},
        **records.environment(),
    }
    records.write_json(where / "config.json", about["config"])
    records.write_json(where / "run.json", {**record, "status": "running"})
    return _loop(config, made, sources, where, about, record, watch)


def _loop(config, made, sources, where, about, record, watch) -> Result:
    """Iterate, write, and always leave a result."""
    lines: list[dict[str, Any]] = []
    begin, status, last = time.perf_counter(), "interrupted", None
    stack = start(config, sources)
    try:
        steps = synthesis.iterate(
            made.advance,
            made.minimizer,
            stack,
            (made.extractor.weights, targets(made, sources)),
            max_iter=config.max_iter,
            save_every=config.save_every,
            tol=config.tol,
            patience=config.patience,
        )
        before = 0.0
        for last in steps:
            first = last.step - len(last.metrics["loss"]) + 1
            lines += records.rows(first, last.metrics, last.seconds, before)
            before += last.seconds
            records.write_metrics(where, lines)
            records.write_progress(where, last.step, last.images[:, 0])
            watch(last)
            _check_finite(last)
        status = _status(config, last)
    except KeyboardInterrupt:
        pass
    finally:
        final = np.asarray(stack if last is None else last.images)[:, 0]
        paths = records.write_results(where, np.nan_to_num(final), config.output, about)
        if lines:
            records.write_curve(where, lines)
        done = {
            "status": status,
            "steps": last.step if last else 0,
            "seconds": round(time.perf_counter() - begin, 3),
            "peak_bytes": records.peak_memory(),
        }
        records.write_json(where / "run.json", {**record, **done})
    loss = float(np.mean(last.metrics["loss"][-1])) if last else float("nan")
    return Result(status, done["steps"], loss, paths)


def _status(config: ConfigDict, last: synthesis.Iterate) -> str:
    if last.step >= config.max_iter:
        return "finished"
    return "stalled" if last.metrics["failed"][-1].all() else "converged"


def _check_finite(last: synthesis.Iterate) -> None:
    if not np.isfinite(last.metrics["loss"][-1]).all():
        raise errors.TexjaxError(
            f"the loss is no number after step {last.step}; use smaller term weights, range 'penalty' or precision 'float32'."
        )


def _digest(*arrays: Any) -> str:
    """SHA-256 of the arrays' bytes in order."""
    import hashlib

    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
