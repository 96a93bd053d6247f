"""One run: writes what the iterator of a synthesis yields into a run directory."""

import contextlib
import functools
import hashlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from texjax import checks, errors, interrupts
from texjax import config as configs
from texjax.runs import archive, budget, checkpoints, inputs, machine, networks, records, resume
from texjax.synthesis import build, loop, optimize, schedule, training
from texjax.synthesis import pictures as exemplar_pictures


class Result(NamedTuple):
    """How a run ended ("finished", "converged", "stalled", "interrupted"), after how many steps, with what pictures."""

    status: str
    steps: int
    loss: float
    paths: list[Path]


def synthesize(
    config: configs.Config,
    paths: inputs.Paths,
    directory: Callable[[build.Parts], Path],
    watch: Callable[[loop.Iterate], None] = lambda iterate: None,
    command: str = "",
    begun: resume.Begun | None = None,
) -> Result:
    """Make pictures with the look of the sources, and the records of how, in a run directory.

    A signal to end (Ctrl-C, SIGTERM, SIGHUP) ends the run after the present steps and keeps what it had, with a
    checkpoint from which the run can go on.

    Args:
        config: complete, as `config.load` returns it.
        paths: {"sources": [...]}, with "content": [content] and "analogy": [A, A', B] where the config uses them, and
            "photos": [...] for a generator that restyles photographs.
        directory: called once everything has been checked, to make the directory.
        watch: called with every iterate.
        command: for the records, where it is not this process's own command line.
        begun: the run to go on with, of this config and these paths; its directory is used.

    Raises:
        TexjaxError: for what cannot be run, before anything is written; for pictures or weights that changed since the
            run began; and for a loss that is no number.
    """
    checks.values(config)
    paths = inputs.with_start(config, paths)
    given = {group: files for group, files in paths.items() if group != configs.PHOTOS}
    pictures, alpha, settled = inputs.load_with_alpha(config, given)
    with contextlib.ExitStack() as stack:
        settled, prepared, points = _prepared(settled, pictures, paths, begun, stack)
        if jax.process_index() > 0:
            return _follow(config, prepared, watch)
        alpha = _writable(alpha, config.output.format)
        about = {"config": config.to_dict(), **_digests(prepared.parts, pictures, paths)}
        stack.enter_context(interrupts.deferred())
        if begun is None:
            where, lines = directory(prepared.parts), []
            record = records.begin(where, about, paths, command, settled)
            points = stack.enter_context(_checkpoints(where, config))
        else:
            where, lines = begun.directory, resume.lines(begun, prepared.first)
            record = records.go_on(where, about, begun.record, prepared.first.step)
        started = time.perf_counter() - (lines[-1]["seconds"] if lines else 0)
        points.go_on(prepared.first.step if lines else -1)
        progress = Progress(where, watch, lines, points, {})
        try:
            status, last = _write_iterates(config, pictures, prepared, progress)
            outputs = optimize.outputs(last, config, pictures)
            results = records.write_results(where, inputs.with_alpha(config, outputs, alpha), config.output, about)
            results += records.write_movies(where, outputs.reshape(last.images.shape))
            if trains(config) and status != "failed":
                results.append(_write_network(where, config, pictures, paths, last))
        except BaseException:
            with contextlib.suppress(errors.EnvironmentFault):
                records.end(where, record, "failed", 0, time.perf_counter() - started)
            raise
        seconds, rollbacks = time.perf_counter() - started, sum(progress.rollbacks.values())
        records.end(where, record, status, last.step, seconds, rollbacks, results)
        if status in archive.ENDED:
            points.finish(last, whole=trains(config))
        # The curve comes last: what draws it takes a second to import, and a killed run must not lack its picture.
        if lines:
            records.write_curve(where, lines)
    if status == "failed":
        raise errors.TexjaxError(
            f"the loss is no number after step {last.step}, the picture before it is kept in {where}; "
            f"use smaller term weights, range 'penalty' or precision 'float32'."
        )
    return Result(status, last.step, last.loss, results)


def trains(config: configs.Config) -> bool:
    """Return whether a run of that config trains a generator, instead of optimizing pictures."""
    return "generator" in config


def _write_network(
    where: Path,
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    paths: inputs.Paths,
    last: loop.Iterate,
) -> Path:
    names = [path.name for path in paths["sources"]]
    path = where / archive.NETWORK_FILE
    networks.write(path, config, optimize.channels(pictures), names, last.state.weights)
    return path


class Progress(NamedTuple):
    """Where the iterates of a run go.

    where: the run directory. watch: called with each iterate. lines: those of the metrics so far. points: checkpoints.
    rollbacks: stage -> how often its steps were taken again.
    """

    where: Path
    watch: Callable[[loop.Iterate], None]
    lines: list[dict[str, Any]]
    points: checkpoints.Checkpoints
    rollbacks: dict[int, int]


def _checkpoints(directory: Path, config: configs.Config) -> checkpoints.Checkpoints:
    """The checkpoints of a run; where several hosts take part there are none."""
    alone = jax.process_count() == 1
    return checkpoints.Checkpoints(directory, alone * config.checkpoint_every, alone * config.checkpoint_steps)


def _prepared(
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    paths: inputs.Paths,
    begun: resume.Begun | None,
    stack: contextlib.ExitStack,
) -> tuple[configs.Config, optimize.Prepared, Any]:
    """The config that fits, the run from its start or its newest sound checkpoint, and the latter's checkpoints."""
    prepare: Any = optimize.prepare
    if trains(config):
        photos = inputs.photographs(
            config, paths.get(configs.PHOTOS, ()), len(pictures["sources"]), optimize.channels(pictures)
        )
        prepare = functools.partial(training.prepare, photographs=photos)
    if begun is None:
        config = config if trains(config) else budget.fitted(config, pictures)
        return config, prepare(config, pictures, paths), None
    config = resume.settled(begun, config)
    resume.check_digests(begun, _digests(build.parts(config), pictures, paths))
    resume.check_versions(begun, machine.environment(config.features.to_dict())["versions"])
    points = stack.enter_context(_checkpoints(begun.directory, config))
    for saved in points.saved():
        try:
            return config, prepare(config, pictures, paths, saved), points
        except checkpoints.Damaged as error:
            checkpoints.warn_damaged(error)
    warnings.warn(
        f"{begun.directory} holds no checkpoint that can be used, so the run begins anew.",
        errors.TexjaxWarning,
        stacklevel=2,
    )
    return config, prepare(config, pictures, paths), points


def _follow(config: configs.Config, prepared: optimize.Prepared, watch: Callable[[loop.Iterate], None]) -> Result:
    """Take part in a run that another host writes, until that one stops."""
    last = None
    for last in prepared.iterates:
        if not loop.finite(last.metrics):
            return Result("failed", last.step, last.loss, [])
        watch(last)
    assert last is not None  # the start is always yielded
    return Result(_ending(config, last), last.step, last.loss, [])


def _writable(alpha: np.ndarray | None, output_format: str) -> np.ndarray | None:
    """The alpha of the results, or None with a warning where their format holds none."""
    if alpha is None or output_format in checks.WITH_ALPHA:
        return alpha
    warnings.warn(
        f"{output_format} files hold no alpha, so the result is opaque although the content is not; "
        f"--config.output.format={checks.WITH_ALPHA[0]} keeps its alpha.",
        errors.TexjaxWarning,
        stacklevel=2,
    )
    return None


def _digests(parts: build.Parts, pictures: exemplar_pictures.Pictures, paths: inputs.Paths) -> dict[str, Any]:
    """Hashes of the weights and of every picture, for the records."""
    groups: dict[str, Any] = {
        group: [{"name": p.name, "sha256": digest(image)} for p, image in zip(paths[group], images, strict=True)]
        for group, images in pictures.items()
    }
    if configs.PHOTOS in paths:  # there may be many, of which names and sizes say enough
        files = [f"{path.name} {path.stat().st_size}" for path in paths[configs.PHOTOS]]
        groups["photos_sha256"] = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return {"weights_sha256": digest(*jax.tree.leaves(parts.extractor.weights)), **groups}


def _write_iterates(
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    prepared: optimize.Prepared,
    progress: Progress,
) -> tuple[str, loop.Iterate]:
    """Write metrics and progress of every iterate; return how the run ended and its last good iterate, at full size.

    The lines of the metrics are added to those of `progress`.
    """
    last, lines = prepared.first, progress.lines
    try:
        for now in prepared.iterates:
            if not loop.finite(now.metrics):
                return "failed", optimize.full_size(last, config)
            last = now
            lines += records.rows(lines, now.step, now.metrics, now.seconds)
            records.write_metrics(progress.where, lines)
            records.write_progress(progress.where, now.step, optimize.outputs(now, config, pictures))
            progress.rollbacks[now.stage] = now.rollbacks
            progress.watch(now)
            if interrupts.received() and now.step < schedule.total(config):
                progress.points.save(now)
                return "interrupted", optimize.full_size(last, config)
            progress.points.offer(now)
    except KeyboardInterrupt:
        return "interrupted", optimize.full_size(last, config)
    return _ending(config, last), last


def _ending(config: configs.Config, last: loop.Iterate) -> str:
    """How a run ended that nothing cut short."""
    if last.step >= schedule.total(config):
        return "finished"
    return "stalled" if last.metrics["failed"][-1].all() else "converged"


def digest(*arrays: Any) -> str:
    """Return the SHA-256 of the arrays' bytes, in order."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
