"""What a run takes: bytes at its peak and seconds, from the programs that it compiles.

The seconds are those of an evaluation of the objective, which is timed here, and of compiling, which is measured in
products of matrices timed here. So both follow the machine and its load. The bytes are the sum of what the compiled
programs say of themselves (arguments, results and temporaries) and of what compilers and programs leave behind. A run
that finds its programs in the persistent compilation cache compiles nothing, and takes less of both.
"""

import functools
import math
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import pyramid
from texjax.runs import machine, operations
from texjax.synthesis import build, objective, optimize, schedule
from texjax.synthesis import pictures as exemplar_pictures

MIB = 2**20
# Measured on CPU: the time of an iteration in evaluations of the objective, and for how many iterations the first line
# searches of a resolution last beside.
ITERATION, FIRST = 1.2, 7
# The program of the loop evaluates the objective in so many places, and has so many operations of its own. With several
# outputs together (vmap) the program is longer by so much. Each iteration then runs all places until the line searches
# of all outputs have ended, which takes so many times as long.
PLACES, MINIMIZER, TOGETHER, WAITING = 2, 1700, 1.5, 6
# Beside its large programs each resolution runs small ones: those of the start, which are counted, and so many more, to
# reduce the pictures and join the summaries, and from the second on to enlarge the picture.
OTHERS, ENLARGING = 20, 38
# Bytes of a host: JAX's backend, with what the first programs bring in; what a small program leaves, and a large one
# for each operation; and what the compiler takes for a large program and for each operation.
BACKEND, SMALL, KEPT = 110 * MIB, 1.3 * MIB, 16 * 2**10
COMPILER, COMPILING = 150 * MIB, 40 * 2**10
SEARCHING = 7  # images that a line search and an update take beside the state
SCRATCH = 1.3  # memory of temporaries, in what the compiler counts: convolutions copy patches
# Operations of a matrix product that take as long: to import the libraries and draw the loss; to compile a small
# program; and to compile an operation of a large one.
STARTING, SMALL_COMPILED, COMPILED = 1300e9, 6.3e9, 0.3e9
PICTURE = 2e-7  # seconds to write a pixel of a picture
COPIES = 3  # of the weights and the sources in memory: as they were read, on the device, and reduced


class Cost(NamedTuple):
    """Estimates for a run on this device that finds nothing compiled.

    once: the seconds to start and to compile, which a run saves that follows in the same process with the same program.
    program: equal for runs that share their programs.
    """

    seconds: float
    memory: float  # bytes
    once: float
    program: int


class Work(NamedTuple):
    """What the programs of one resolution take; equal for all runs that share these programs.

    flops: floating point operations of an iteration. pace: seconds for each of them; 0 of a smaller size than the last.
    temporary: bytes that an evaluation takes beside its arguments; 0 likewise. lines: operations of the loop's program.
    targets: bytes. summaries: how the sources are summarized.
    """

    flops: float
    pace: float
    temporary: float
    lines: float
    targets: float
    summaries: "Summaries"


class Summaries(NamedTuple):
    """What the programs take that summarize the sources; the fields are as those of `Work`."""

    flops: float
    temporary: float
    lines: float


def resident() -> int:
    """Return the bytes that this process holds now, where the system tells; else its peak."""
    if sys.platform != "linux":
        return machine.peak_memory()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@functools.cache
def process() -> int:
    """Return the bytes of the process before its first plan: Python and the libraries."""
    return resident()


def cost(
    config: configs.Config, parts: build.Parts, pictures: exemplar_pictures.Pictures, reading: tuple[float, int]
) -> Cost:
    """Return what a run takes.

    Args:
        config: complete.
        parts: of the config.
        pictures: each group at the size at which it is analyzed.
        reading: seconds to read the pictures, and bytes at the peak of that.
    """
    resolutions = schedule.resolutions(config)
    works = [_work(resolution, pictures) for resolution in resolutions]
    lines = sum(work.lines + work.summaries.lines for work in works)
    small = _small_programs(config, pictures, len(works))
    once = (STARTING + SMALL_COMPILED * small + COMPILED * lines) / operations.rate()
    analyzing = sum(work.summaries.flops for work in works) / (operations.EFFICIENCY * operations.rate())
    flops = sum((size.config.max_iter + FIRST) * work.flops for size, work in zip(resolutions, works, strict=True))
    written = sum(r.config.max_iter / config.save_every * math.prod(r.config.size) for r in resolutions)
    outputs = _in_turn(config) * flops * works[-1].pace + config.count * config.frames * written * PICTURE
    memory = max(reading[1], _memory(config, parts, pictures, works, SMALL * small))
    return Cost(once + reading[0] + analyzing + outputs, memory, once, hash((tuple(works), config.batch_mode)))


def _in_turn(config: configs.Config) -> int:
    """The number of times that the loop's program is run: for each output, or for all of them together."""
    return 1 if config.batch_mode == "vmap" else config.count


def _small_programs(config: configs.Config, pictures: exemplar_pictures.Pictures, resolutions: int) -> int:
    """The number of programs that JAX compiles for single operations; raises TexjaxError for a wrong start."""
    arrays = jax.tree.map(jnp.asarray, pictures)
    lines = jax.make_jaxpr(lambda: optimize.start(config, arrays))().eqns
    start = {(line.primitive.name, str(line.params), *(str(value.aval) for value in line.invars)) for line in lines}
    return resolutions * (len(start) + OTHERS) + (resolutions - 1) * ENLARGING


def _memory(
    config: configs.Config,
    parts: build.Parts,
    pictures: exemplar_pictures.Pictures,
    works: list[Work],
    small: int | float,
) -> int | float:
    """Bytes at the peak, which is at full size: analyzing, compiling the loop, or iterating.

    small: bytes that small programs leave.
    """
    last, device = works[-1], jax.devices()[0].platform
    together = config.count // _in_turn(config)
    history = config.optimizer.get("history_size", 0)
    images = 4 * optimize.channels(pictures) * math.prod(config.size) * config.frames
    state = config.count * images * (2 * history + 3)
    # A single output's state is changed in place, and those of several go in and come out. The line search holds more.
    copies, searching = (1, SEARCHING) if config.count == 1 else (2, max(history, 3))
    iterating = copies * state + SCRATCH * last.temporary + together * images * searching
    held = sum(array.nbytes for array in jax.tree.leaves(parts.extractor.weights))
    held += sum(np.asarray(image).nbytes for group in pictures.values() for image in group)
    if device != "cpu":
        return held + last.targets + max(last.summaries.temporary, iterating)
    left = process() + BACKEND + COPIES * held + last.targets + small
    left += KEPT * sum(work.lines + work.summaries.lines for work in works[:-1])
    compiling = state + COMPILER + COMPILING * last.lines
    return left + max(SCRATCH * last.summaries.temporary, compiling, KEPT * last.lines + iterating)


def _work(resolution: schedule.Resolution, pictures: exemplar_pictures.Pictures) -> Work:
    """The work of a resolution, from pictures at full size."""
    config, source_padding = resolution.config, configs.source_padding(resolution.config)

    def reduced(group: str, image: Any) -> tuple[int, ...]:
        padding = source_padding[1] if group == "sources" else config.pyramid.padding
        sides = (pyramid.sizes(side, resolution.below + 1, padding)[-1] for side in image.shape[:2])
        return (*sides, *image.shape[2:])

    shapes = tuple((group, tuple(reduced(group, image) for image in images)) for group, images in pictures.items())
    return _program(configs.freeze(config, without=build.VALUES), source_padding, resolution.below, shapes)


@functools.lru_cache(maxsize=256)
def _program(
    config: configs.Config, source_padding: tuple[str, str], below: int, shapes: tuple[tuple[str, Any], ...]
) -> Work:
    """The work of a resolution; only the full size (below 0) is compiled. shapes: of the pictures in each group."""
    parts = build.parts_of_program(config, source_padding, below)
    counted = build.parts_of_program(_by_xla(config), source_padding, below)
    pictures = {group: [np.zeros(shape, np.float32) for shape in images] for group, images in shapes}
    wanted = exemplar_pictures.distinct_exemplars(parts.terms, config.octaves)
    sets = {exemplars: exemplar_pictures.exemplars(exemplars, pictures) for exemplars in wanted}
    width, height = config.size
    together = config.count // _in_turn(config)
    images = jax.ShapeDtypeStruct((together, config.frames, height, width, optimize.channels(pictures)), jnp.float32)
    arguments = (images, parts.extractor.weights, _targets(parts, sets))
    summaries = Summaries(*np.sum([_summaries(parts, counted, *pair, below) for pair in sets.items()], 0).tolist())
    targets = sum(math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(arguments[-1]))
    flops, seconds, temporary, lines = _step(parts.objective, counted.objective, below, *arguments)
    times, longer = (1, 1.0) if together == 1 else (WAITING, TOGETHER)
    pace = seconds / flops if flops else 0.0
    return Work(times * flops, pace, temporary, longer * (PLACES * lines + MINIMIZER), targets, summaries)


def _by_xla(config: configs.Config) -> configs.Config:
    """The config with a network by XLA, which counts its operations, while those of oneDNN are not counted."""
    if machine.backend(config.features.to_dict()).name == "xla":
        return config
    changed = config.to_dict()
    changed["features"]["backend"] = "xla"
    return configs.freeze(changed)


def _targets(parts: build.Parts, sets: Any) -> dict[str, Any]:
    """Shapes of the targets. sets: the pictures of each set of exemplars."""
    targets = {}
    for exemplars, pictures in sets.items():
        summarize = functools.partial(parts.objective.summarize, exemplars=exemplars)
        summaries = [jax.eval_shape(summarize, parts.extractor.weights, picture) for picture in pictures]
        targets |= jax.eval_shape(parts.objective.join, summaries)
    return targets


def _summaries(parts: build.Parts, counted: build.Parts, exemplars: Any, pictures: Any, below: int) -> Summaries:
    """Operations of all pictures, and temporaries of the largest one, whose program stands for those of the others."""
    largest = max(pictures, key=np.size)
    weights = parts.extractor.weights
    program = operations.analyze(parts.summarize.trace(weights, largest, exemplars=exemplars), compiling=not below)
    flops = program.flops
    if counted is not parts:
        traced = counted.summarize.trace(weights, largest, exemplars=exemplars)
        flops = operations.analyze(traced, compiling=False).flops
    pixels = sum(picture.size for picture in pictures) / largest.size
    shapes = {picture.shape for picture in pictures}
    return Summaries(pixels * flops, program.temporary, len(shapes) * program.lines)


def _step(
    problem: objective.Objective, counted: objective.Objective, below: int, *arguments: Any
) -> tuple[int | float, ...]:
    """Operations and seconds of an iteration with its share of a refresh, bytes of temporaries, lines of evaluating.

    After each refresh the objective is evaluated once more. counted: see `operations.measure`.
    """

    @functools.cache  # one function for one problem, which `operations.measure` then analyzes once
    def refreshing(problem: objective.Objective) -> Any:
        return jax.vmap(lambda *arguments: problem.refresh(*arguments, None, jax.random.key(0), 0), (0, None, None))

    @functools.cache
    def evaluating(problem: objective.Objective) -> Any:
        return jax.vmap(jax.value_and_grad(problem.value, has_aux=True), (0, None, None, 0))

    choices = jax.eval_shape(refreshing(problem), *arguments) if problem.periods else {}
    pair = evaluating(problem), evaluating(counted)
    evaluation = operations.measure(*pair, not below, *arguments, choices)
    flops, seconds = ITERATION * evaluation.flops, ITERATION * evaluation.seconds
    if not problem.periods:
        return flops, seconds, evaluation.temporary, evaluation.lines
    search = operations.measure(refreshing(problem), refreshing(counted), not below, *arguments)
    flops += (search.flops + evaluation.flops) / min(problem.periods)
    seconds += (search.seconds + evaluation.seconds) / min(problem.periods)
    return flops, seconds, max(evaluation.temporary, search.temporary), evaluation.lines + search.lines
