"""One run: config -> objects -> loop -> files. Below this module nothing sees a config."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import checks, errors
from texjax import config as configs
from texjax.images import colors
from texjax.runs import inputs, records
from texjax.synthesis import build, inits, jitter, loop, schedule


class Result(NamedTuple):
    """How a run ended ("finished", "converged", "stalled", "interrupted"), after how many steps, with what pictures."""

    status: str
    steps: int
    loss: float
    paths: list[Path]


def start(config: configs.Config, sources: Sequence[jax.Array], others: inputs.Groups = inputs.NONE) -> jax.Array:
    """The images to start from, [count, frames, h, w, 3]; each has noise of its own, whatever the count.

    others: groups of pictures beside the sources; `init.of` names the one to start from.
    """
    width, height = config.size
    key = jax.random.key(config.seed)
    spec = {key: value for key, value in config.init.items() if key != "of"}
    group = {"sources": sources, **others}[config.init.get("of", "sources")]
    init = [
        configs.build(inits, spec, jax.random.fold_in(key, i), (height, width), group)
        for i in range(config.count * config.frames)
    ]
    return jnp.stack(init).reshape(config.count, config.frames, height, width, 3)


def targets(made: build.Parts, sources: Sequence[jax.Array], others: inputs.Groups = inputs.NONE) -> Any:
    """What the terms compare with; of sources, one's features are in memory at a time.

    others: groups of pictures beside the sources, see `pictures`.
    """
    groups, found = {"sources": sources, **others}, {}
    for look in made.looks:
        kept = [
            jax.block_until_ready(made.summarize(made.extractor.weights, picture, look=look))
            for picture in inputs.seen(look, groups)
        ]
        found |= made.join(kept)
    return found


def prepared(
    config: configs.Config, paths: Sequence[Path], others: Mapping[str, Sequence[Path]]
) -> tuple[build.Parts, dict[str, list[np.ndarray]], dict[str, Sequence[Path]]]:
    """What a run needs, checked: its functions, and the groups of pictures [h, w, 3] with their paths.

    Raises TexjaxError for what cannot be run.
    """
    checks.values(config)
    names = {"sources": paths, **others}
    groups = {"sources": inputs.load(config, paths), **inputs.load_others(config, others)}
    made = build.parts(config)
    inputs.check_sizes(config, made.extractor, made.terms, groups, names)
    return made, groups, names


def synthesize(
    config: configs.Config,
    paths: Sequence[Path],
    directory: Callable[[build.Parts], Path],
    watch: Callable[[loop.Iterate], None] = lambda iterate: None,
    others: Mapping[str, Sequence[Path]] = inputs.NONE,
    command: str = "",
) -> Result:
    """Make pictures with the look of the sources, and the records of how, in a run directory.

    paths: of the sources. directory: called once everything has been checked, to make the directory. watch: called with
    every iterate. others: paths of pictures beside the sources, {"content": [content], "analogy": [A, A', B]}. An
    interrupt (Ctrl-C) ends the run and keeps what it had. command: for the records, where it is not this process's.

    Raises TexjaxError for what cannot be run, before anything is written.
    """
    made, groups, names = prepared(config, paths, others)
    about = {
        "config": config.to_dict(),
        "weights_sha256": digest(*jax.tree.leaves(made.extractor.weights)),
        **{
            of: [{"name": p.name, "sha256": digest(a)} for p, a in zip(names[of], group, strict=True)]
            for of, group in groups.items()
        },
    }
    groups = {of: [jnp.asarray(array) for array in group] for of, group in groups.items()}
    first = schedule.scales(config)[0]
    # Waited for, as an allocation that fails is told only then.
    stack = jax.block_until_ready(start(first.config, *inputs.reduced(groups, first)))
    where = directory(made)
    record, begin = records.begin(where, about, names, command), time.perf_counter()
    try:
        status, last = _optimize(config, groups, stack, where, watch)
        shown = _pictures(last, config, groups)
        results = records.write_results(where, shown, config.output, about)
        results += records.write_movies(where, shown.reshape(last.images.shape))
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
    groups: inputs.Groups,
    stack: jax.Array,
    where: Path,
    watch: Callable[[loop.Iterate], None],
) -> tuple[str, loop.Iterate]:
    """Iterate, and write metrics and progress; return how it ended and the last good iterate, at full size."""
    nothing = {"loss": np.full((1, config.count), np.nan)}
    last = loop.Iterate(0, np.asarray(stack), nothing, 0.0)
    lines: list[dict[str, Any]] = []
    try:
        for now in iterates(config, groups["sources"], stack, groups):
            if not np.isfinite(now.metrics["loss"]).all():
                return "failed", _whole(last, config)
            last = now
            lines += records.rows(lines, now.step, now.metrics, now.seconds)
            records.write_metrics(where, lines)
            records.write_progress(where, now.step, _pictures(now, config, groups))
            watch(now)
    except KeyboardInterrupt:
        return "interrupted", _whole(last, config)
    finally:
        if lines:
            records.write_curve(where, lines)
    if last.step >= schedule.total(config):
        return "finished", last
    return "stalled" if last.metrics["failed"][-1].all() else "converged", last


def iterates(
    config: configs.Config,
    sources: Sequence[jax.Array],
    stack: jax.Array,
    others: inputs.Groups = inputs.NONE,
) -> Iterator[loop.Iterate]:
    """The iterates of all scales and rounds in turn; steps count on. The start of a later one is only waited for.

    stack: to start from, [count, frames, h, w, 3] at the size of the first scale. others: groups of pictures beside the
    sources.
    """
    done, waited, last = 0, 0.0, None
    for scale in schedule.scales(config):
        made, seen = build.parts(scale.config), inputs.reduced({**others, "sources": sources}, scale)
        if last is not None:
            fresh = start(scale.config, *seen)
            stack = schedule.refined(np.clip(last.images, 0, 1), scale.config, fresh)
        args = (made.extractor.weights, targets(made, *seen))
        for part in jitter.rounds(scale.config, scale.below):
            for now in _round(config, made, args, stack, part):
                if done and now.step == 0:
                    waited += now.seconds
                    continue
                last = now._replace(step=done + now.step, seconds=now.seconds + waited)
                waited = 0.0
                yield last
            stack = jnp.asarray(last.images) if last else stack
            done += part.steps  # steps that a round did not need are left out of the count


def _round(
    config: configs.Config, made: build.Parts, args: tuple[Any, ...], stack: Any, part: jitter.Round
) -> Iterator[loop.Iterate]:
    """The iterates of a round, its move taken back."""
    for now in loop.iterate(
        made.advance,
        made.minimizer,
        jnp.asarray(part.moved(np.asarray(stack))),
        args,
        max_iter=part.steps,
        save_every=config.save_every,
        tol=config.tol,
        patience=config.patience,
    ):
        yield now._replace(images=part.back(now.images))


def _whole(iterate: loop.Iterate, config: configs.Config) -> loop.Iterate:
    """The iterate at full size, where it is of a coarser scale: what an interrupted run leaves."""
    if iterate.images.shape[-3:-1] == tuple(config.size)[::-1]:
        return iterate
    return iterate._replace(images=np.asarray(schedule.enlarged(np.clip(iterate.images, 0, 1), config)))


def _pictures(iterate: loop.Iterate, config: configs.Config, groups: inputs.Groups) -> np.ndarray:
    """All pictures of a run, [count x frames, h, w, 3]: the first output's frames, the second's, and on."""
    stack = iterate.images.reshape(-1, *iterate.images.shape[2:])
    if not config.output.original_colors:
        return stack
    return np.asarray(colors.kept(jnp.asarray(stack), groups["content"][0]))


def digest(*arrays: Any) -> str:
    """SHA-256 of the arrays' bytes, in order."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
