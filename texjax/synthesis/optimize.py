"""From a config and arrays to iterates: every stage of a run in turn. No files are read or written here."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, inits, settings, types
from texjax.images import colors
from texjax.synthesis import build, heap, loop, schedule, steps
from texjax.synthesis import pictures as exemplar_pictures

# Folded into the seed's key to draw for refreshes. Starts are drawn from the same key with the number of the output,
# which counts from 0 and does not get here.
REFRESH = 2**32 - 1

ROLLED_BACK = (
    "the loss or its gradient was no number before step {}, so that these steps were taken again with an empty "
    "history; if this comes again, use smaller term weights, range 'penalty' or precision 'float32'."
)


class Problem(NamedTuple):
    """What the stages of one resolution share: its functions, the arguments of its objective, and its pictures."""

    resolution: schedule.Resolution
    parts: build.Parts
    args: tuple[Any, ...]
    pictures: dict[str, list[jax.Array]]


class Prepared(NamedTuple):
    """A run that is checked and ready to go.

    parts: functions of the whole config.
    first: the iterate to go on from or, of a run that begins, the images to start from, [count, frames, h, w, c] at the
        first resolution, as an iterate whose loss is no number yet.
    iterates: of all stages in turn. Steps count on from stage to stage. Step 0 of later stages is not yielded; its time
        is added to the next iterate.
    """

    parts: build.Parts
    first: loop.Iterate
    iterates: Iterator[loop.Iterate]


class Saved(NamedTuple):
    """An iterate that an earlier process saved.

    stage: index of its stage.
    load: (images, state) as trees of `jax.ShapeDtypeStruct` -> the iterate; the state may be None instead.
    """

    stage: int
    load: Callable[[Any, Any], loop.Iterate]


def prepare(
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    names: exemplar_pictures.Names | None = None,
    saved: Saved | None = None,
) -> Prepared:
    """Check everything, compute the first targets and the start, and return an iterator over the iterates.

    Args:
        config: complete, as `config.load` returns it, and checked by `checks.values`.
        pictures: {"sources": images [h, w, c], ...} with the groups "content" and "analogy" where the config uses them.
            The content, and B of an analogy, are as large as the output. The group "init" is the picture of a start
            from a file.
        names: a name of each picture, for errors.
        saved: where an earlier process left this run, to go on from there instead of the start.

    Raises:
        TexjaxError: for a config, or pictures, that cannot be run, before anything is optimized; and what `saved.load`
            raises.
    """
    parts = check(config, pictures, names)
    stages = schedule.stages(config)
    # A damaged checkpoint may name a stage that does not exist; `saved.load` refuses it.
    first_stage = stages[min(saved.stage, len(stages) - 1) if saved else 0]
    problem = _problem(first_stage.resolution, pictures)
    start = _start(problem)
    # Some errors show only when the objective is traced. They are raised here, before anybody writes a file.
    state = _empty_state(problem, start)
    if saved is None:
        first = loop.Iterate(0, np.asarray(start), {"loss": np.full((1, config.count), np.nan)}, 0.0)
    else:
        wanted = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), (start, state))
        _delete(state)
        first = saved.load(*wanted)
        state = first.state
    return Prepared(parts, first, _iterates(config, pictures, stages, problem, start, state, first if saved else None))


def check(
    config: configs.Config, pictures: exemplar_pictures.Pictures, names: exemplar_pictures.Names | None = None
) -> build.Parts:
    """Return the functions of the config; raise TexjaxError for a config or pictures that cannot be run."""
    exemplar_pictures.check_groups(config, list(pictures))
    parts = build.parts(config)
    numbers = {group: [f"{i}" for i in range(1, len(images) + 1)] for group, images in pictures.items()}
    exemplar_pictures.check_sizes(
        config, parts.extractor, parts.source_extractor, parts.terms, pictures, names or numbers
    )
    return parts


def start(config: configs.Config, pictures: exemplar_pictures.Pictures) -> jax.Array:
    """Return the images to start from, [count, frames, h, w, c]; each has noise of its own, whatever the count."""
    width, height = config.size
    key = jax.random.key(config.seed)
    spec = {name: value for name, value in config.init.items() if name not in settings.INIT}
    group = pictures[configs.start_group(config)]
    shape = (height, width, group[0].shape[-1])
    images = [
        settings.build(inits, spec, jax.random.fold_in(key, i), shape, group)
        for i in range(config.count * config.frames)
    ]
    return jnp.stack(images).reshape(config.count, config.frames, *shape)


def channels(pictures: exemplar_pictures.Pictures) -> int:
    """Return the channels of the output, which are those of all pictures of the run: 3, or 1 for gray."""
    return pictures["sources"][0].shape[-1]


def targets(parts: build.Parts, octaves: int, pictures: exemplar_pictures.Pictures) -> dict[str, Any]:
    """Return the target of every term; the features of one picture at a time are in memory."""
    joined = {}
    for exemplars in exemplar_pictures.distinct_exemplars(parts.terms, octaves):
        summaries = [
            jax.block_until_ready(
                parts.summarize(parts.extractor.weights, steps.place(np.asarray(picture)), exemplars=exemplars)
            )
            for picture in exemplar_pictures.exemplars(exemplars, pictures)
        ]
        joined |= parts.objective.join(summaries)
    heap.trim()
    return joined


def _problem(resolution: schedule.Resolution, pictures: exemplar_pictures.Pictures) -> Problem:
    padding, source_padding = resolution.config.pyramid.padding, configs.source_padding(resolution.config)[1]
    reduced = {
        group: schedule.reduced_pictures(images, resolution, source_padding if group == "sources" else padding)
        for group, images in pictures.items()
    }
    parts = build.parts(resolution.config, resolution.below)
    weights = steps.place(parts.extractor.weights)
    return Problem(resolution, parts, (weights, targets(parts, resolution.config.octaves, reduced)), reduced)


def _start(problem: Problem) -> jax.Array:
    # Waited for, because an allocation that fails is reported only then.
    return jax.block_until_ready(start(problem.resolution.config, problem.pictures))


def _keys(config: configs.Config, step: int) -> types.PRNGKeys:
    """The keys of each output's refreshes in the stage that begins with `step`."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), REFRESH), step)
    return jax.random.split(key, config.count)


def _empty_state(problem: Problem, images: jax.Array) -> Any:
    return problem.parts.program.empty(images, _keys(problem.resolution.config, 0), *problem.args)


def _iterates(
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    stages: list[schedule.Stage],
    problem: Problem,
    images: Any,
    state: Any,
    after: loop.Iterate | None,
) -> Iterator[loop.Iterate]:
    begin, waited = 0, 0.0
    for index, stage in enumerate(stages):
        if after is not None and index < after.stage:
            begin += stage.round.steps
            continue
        resumed = after if after is not None and index == after.stage else None
        if resumed is not None:
            images = resumed.images
            resumed = resumed._replace(step=resumed.step - begin, images=stage.round.apply(images))
        elif stage.first and index:
            _delete(state)
            problem = _problem(stage.resolution, pictures)
            images = schedule.refined(np.clip(images, 0, 1), stage.resolution.config, _start(problem))
            state = _empty_state(problem, images)
        rollbacks = 0
        for now in _stage_iterates(config, stage, problem, images, state, begin, resumed):
            images, state = now.images, now.state
            if now.rollbacks > rollbacks:
                rollbacks = now.rollbacks
                warnings.warn(ROLLED_BACK.format(begin + now.step), errors.TexjaxWarning, stacklevel=2)
            if index and now.step == 0:
                waited += now.seconds
                continue
            yield now._replace(step=begin + now.step, seconds=now.seconds + waited, stage=index)
            waited = 0.0
        begin += stage.round.steps  # counts steps too that the round did not need


def _delete(state: Any) -> None:
    """Free the memory of a state that the caller of `iterates` may still hold."""
    for array in jax.tree.leaves(state):
        array.delete()


def _stage_iterates(
    config: configs.Config,
    stage: schedule.Stage,
    problem: Problem,
    images: Any,
    state: Any,
    begin: int,
    after: loop.Iterate | None,
) -> Iterator[loop.Iterate]:
    """The iterates of one stage, with the move of its round undone."""
    for now in loop.iterate(
        problem.parts.program,
        steps.place(stage.round.apply(np.asarray(images))),
        _keys(config, begin),
        problem.args,
        max_iter=stage.round.steps,
        save_every=config.save_every,
        tol=config.tol,
        patience=config.patience,
        state=state,
        after=after,
    ):
        yield now._replace(images=stage.round.undo(now.images))


def full_size(iterate: loop.Iterate, config: configs.Config) -> loop.Iterate:
    """Return the iterate enlarged to full size where it is of a coarser resolution, as an interrupt leaves it."""
    if iterate.images.shape[-3:-1] == tuple(config.size)[::-1]:
        return iterate
    return iterate._replace(images=np.asarray(schedule.enlarged(np.clip(iterate.images, 0, 1), config)))


def outputs(iterate: loop.Iterate, config: configs.Config, pictures: exemplar_pictures.Pictures) -> np.ndarray:
    """Return all pictures, [count x frames, h, w, c]: the frames of the first output, those of the second, and so on.

    They have the colors of the content where `output.original_colors` asks for it and they have any, and are not
    clipped.
    """
    images = iterate.images.reshape(-1, *iterate.images.shape[2:])
    if not config.output.original_colors or images.shape[-1] == 1:
        return images
    return np.asarray(colors.with_colors_of(jnp.asarray(images), jnp.asarray(pictures["content"][0])))
