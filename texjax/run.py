"""One run: config -> objects -> loop -> files. Below this module nothing sees a config."""

import contextlib
import functools
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, features, images, inits, losses, objective, optimizers, records, schedule, synthesis, types
from texjax.losses import joins

# Keys that choose values but no program: runs that differ in these alone share their compilations.
VALUES = ("seed", "init", "source", "output", "max_iter", "tol", "patience", "schedule")


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
    """How a run ended ("finished", "converged", "stalled", "interrupted"), after how many steps, with what pictures."""

    status: str
    steps: int
    loss: float
    paths: list[Path]


def parts(config: configs.Config) -> Parts:
    """The functions that `config` describes; equal programs are made, and compiled, once."""
    return _parts(configs.freeze(config, without=VALUES))


@functools.lru_cache(maxsize=4)
def _parts(config: configs.Config) -> Parts:
    extractor = configs.build(features, config.features)
    terms = tuple(term for name, spec in config.terms.items() for term in _terms(name, spec, config.octaves))
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
        synthesis.compiled(made.summarize),
        made.join,
        made.value,
    )


def _terms(name: str, spec: Any, octaves: int) -> list[objective.Term]:
    """A line of `config.terms`: the term's own keys apart, the rest are settings of its loss.

    One with the key `octaves` makes a term for each of so many, the finest, as its loss has to know which `octave` it
    sees.
    """
    rest = {key: value for key, value in spec.items() if key not in ("weight", "layers", "octave_weights", "octaves")}
    layers, scales = dict(spec.layers), tuple(spec.octave_weights)
    if "octaves" not in spec:
        return [objective.Term(name, configs.build(losses, rest), spec.weight, layers, scales)]
    scales = scales or (1.0,) * octaves
    return [
        objective.Term(
            f"{name}.{octave}",
            configs.build(losses, rest | {"octave": octave}),
            spec.weight,
            layers,
            tuple(scale if at == octave else 0.0 for at, scale in enumerate(scales)),
        )
        for octave in range(spec.octaves)
    ]


def load(config: configs.Config, paths: Sequence[Path]) -> list[np.ndarray]:
    """The sources, [h, w, 3] each, resized as the config says.

    Raises TexjaxError for a picture that cannot be read, and where a term joins another number of sources.
    """
    for term in config.terms.values():
        if "join" in term:
            joins.normalized(term.join, len(paths), term.get("join_weights", ()), term.get("join_position", 0.5))
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


def check_sizes(config: configs.Config, made: Parts, sources: Sequence[np.ndarray], paths: Sequence[Path]) -> None:
    """Raises TexjaxError where the output or a source has no room for the octaves and layers."""
    named = [("the output", tuple(config.size))]
    named += [(f"source {path}", image.shape[1::-1]) for path, image in zip(paths, sources, strict=True)]
    for what, size in named:
        objective.check_size(what, size, made.extractor, made.terms, config.octaves, config.pyramid.padding)


def start(config: configs.Config, sources: Sequence[jax.Array]) -> jax.Array:
    """The images to start from, [count, frames, h, w, 3]; each has noise of its own, whatever the count."""
    width, height = config.size
    key = jax.random.key(config.seed)
    init = [
        configs.build(inits, config.init, jax.random.fold_in(key, i), (height, width), sources)
        for i in range(config.count * config.frames)
    ]
    return jnp.stack(init).reshape(config.count, config.frames, height, width, 3)


def targets(made: Parts, sources: Sequence[jax.Array]) -> Any:
    """What the terms compare with; one source's features are in memory at a time."""
    return made.join([jax.block_until_ready(made.summarize(made.extractor.weights, source)) for source in sources])


def synthesize(
    config: configs.Config,
    paths: Sequence[Path],
    directory: Callable[[Parts], Path],
    watch: Callable[[synthesis.Iterate], None] = lambda iterate: None,
) -> Result:
    """Make pictures with the look of the sources, and the records of how, in a run directory.

    paths: of the sources. directory: called once everything has been checked, to make the directory. watch: called with
    every iterate. An interrupt (Ctrl-C) ends the run and keeps what it had.

    Raises TexjaxError for what cannot be run, before anything is written.
    """
    configs.check(config)
    arrays = load(config, paths)
    made = parts(config)
    check_sizes(config, made, arrays, paths)
    about = {
        "config": config.to_dict(),
        "sources": [{"name": p.name, "sha256": digest(a)} for p, a in zip(paths, arrays, strict=True)],
        "weights_sha256": digest(*jax.tree.leaves(made.extractor.weights)),
    }
    sources = [jnp.asarray(array) for array in arrays]
    first = schedule.scales(config)[0]
    # Waited for, as an allocation that fails is told only then.
    stack = jax.block_until_ready(start(first.config, schedule.reduced(sources, first)))
    where = directory(made)
    record, begin = records.begin(where, about, paths), time.perf_counter()
    try:
        status, last = _optimize(config, sources, stack, where, watch)
        results = records.write_results(where, _pictures(last), config.output, about)
        results += records.write_movies(where, last.images)
    except BaseException:
        with contextlib.suppress(errors.EnvironmentFault):
            records.end(where, record, "failed", 0, time.perf_counter() - begin)
        raise
    records.end(where, record, status, last.step, time.perf_counter() - begin)
    if status == "failed":
        raise errors.TexjaxError(
            f"the loss is no number after step {last.step}, the picture before it is kept in {where}; "
            f"use smaller term weights, range 'penalty' or precision 'float32'."
        )
    return Result(status, last.step, float(last.metrics["loss"][-1].mean()), results)


def _optimize(
    config: configs.Config,
    sources: Sequence[jax.Array],
    stack: jax.Array,
    where: Path,
    watch: Callable[[synthesis.Iterate], None],
) -> tuple[str, synthesis.Iterate]:
    """Iterate, and write metrics and progress; return how it ended and the last good iterate, at full size."""
    nothing = {"loss": np.full((1, config.count), np.nan)}
    last = synthesis.Iterate(0, np.asarray(stack), nothing, 0.0)
    lines: list[dict[str, Any]] = []
    try:
        for now in _scales(config, sources, stack):
            if not np.isfinite(now.metrics["loss"]).all():
                return "failed", _whole(last, config)
            last = now
            lines += records.rows(lines, now.step, now.metrics, now.seconds)
            records.write_metrics(where, lines)
            records.write_progress(where, now.step, _pictures(now))
            watch(now)
    except KeyboardInterrupt:
        return "interrupted", _whole(last, config)
    finally:
        if lines:
            records.write_curve(where, lines)
    if last.step >= schedule.total(config):
        return "finished", last
    return "stalled" if last.metrics["failed"][-1].all() else "converged", last


def _scales(config: configs.Config, sources: Sequence[jax.Array], stack: jax.Array) -> Iterator[synthesis.Iterate]:
    """The iterates of all scales in turn; steps count on. The start of a later scale is only waited for."""
    done, waited, last = 0, 0.0, None
    for scale in schedule.scales(config):
        made = parts(scale.config)
        if last is not None:
            stack = schedule.start(last.images, scale, config.schedule.noise)
        for now in synthesis.iterate(
            made.advance,
            made.minimizer,
            stack,
            (made.extractor.weights, targets(made, schedule.reduced(sources, scale))),
            max_iter=scale.config.max_iter,
            save_every=config.save_every,
            tol=config.tol,
            patience=config.patience,
        ):
            if done and now.step == 0:
                waited = now.seconds
                continue
            last = now._replace(step=done + now.step, seconds=now.seconds + waited)
            waited = 0.0
            yield last
        done += scale.config.max_iter  # steps that a scale did not need are left out of the count


def _whole(iterate: synthesis.Iterate, config: configs.Config) -> synthesis.Iterate:
    """The iterate at full size, where it is of a coarser scale: what an interrupted run leaves."""
    if iterate.images.shape[-3:-1] == tuple(config.size)[::-1]:
        return iterate
    return iterate._replace(images=np.asarray(schedule.enlarged(iterate.images, config)))


def _pictures(iterate: synthesis.Iterate) -> np.ndarray:
    """All pictures of a run, [count x frames, h, w, 3]: the first output's frames, the second's, and on."""
    return iterate.images.reshape(-1, *iterate.images.shape[2:])


def digest(*arrays: Any) -> str:
    """SHA-256 of the arrays' bytes, in order."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
