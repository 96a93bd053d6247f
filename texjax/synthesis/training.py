"""Training of a generator: the objective of a synthesis, as a function of the generator's parameters.

It yields iterates as a synthesis does, so that whatever watches, records and resumes runs does so for trainings too.
The images of an iterate are samples, made from the same noise each time, or of the same photographs.

A generator that restyles photographs learns from crops of these, which are different ones in every step (Johnson et al.
2016, arXiv 1603.08155). Each crop is the content of its picture, so that the targets of terms of the content are
computed within the step.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from texjax import config as configs
from texjax import errors, generators, settings, types
from texjax.optimizers import ranges
from texjax.synthesis import build, devices, generating, loop, optimize, steps
from texjax.synthesis import pictures as exemplar_pictures

RANGES = ("none", "sigmoid", "penalty")
EPSILON = 1e-30  # beside norms and moments of gradients, which may be small
PENALTY = 100  # of the mean square outside [0, 1], relative to the loss
CONTENT = types.Exemplars("content")

Photographs = Callable[[int], np.ndarray]  # step -> crops of photographs [sources x count, h, w, c], sRGB in [0, 1]


class State(NamedTuple):
    """Where a training stands. weights: of the generator. optimizer: state of optax."""

    weights: types.Weights
    optimizer: Any


class Setup(NamedTuple):
    """What a training consists of.

    codes: [sources x count, sources], one row for each picture of a step.
    size: height and width of the pictures.
    layout: how the pictures are spread over devices, or None for one device.
    """

    generator: types.Generator
    parts: build.Parts
    handling: ranges.Range
    solver: optax.GradientTransformation
    codes: jax.Array
    size: tuple[int, int]
    layout: devices.Layout | None


def prepare(
    config: configs.Config,
    pictures: exemplar_pictures.Pictures,
    names: exemplar_pictures.Names | None = None,
    saved: optimize.Saved | None = None,
    photographs: Photographs | None = None,
) -> optimize.Prepared:
    """Check everything, compute the targets and the first parameters, and return an iterator over the iterates.

    Args:
        config: see `optimize.prepare`; it has a `generator`.
        pictures: see `optimize.prepare`; without the content.
        names: see `optimize.prepare`.
        saved: see `optimize.prepare`.
        photographs: for a generator that restyles photographs, crops of `config.size` for each step from 1, and for
            step 0 those that samples are made of; `config.count` for the first source, then those for the second, ...

    Raises:
        TexjaxError: for a config or pictures that cannot be used; and what `photographs` and `saved.load` raise.
    """
    _check_photographs(config, pictures, photographs)
    photos = None
    if photographs:
        photos = photographs(0)
        # The first crop stands for all of them in checks, and in targets that those of each step replace.
        pictures = {**pictures, "content": [photos[0]]}
        names = names and {**names, "content": ["of the photographs"]}
    layout = _layout(config)
    if layout and config.features.get("backend") == "auto":
        config = configs.overridden(config, {"features.backend": "xla"})  # oneDNN computes whole stacks
    parts = optimize.check(config, pictures, names)
    setup = _setup(config, parts, pictures, layout)
    # One generator learns several sources, each of which has targets of its own.
    targets = [
        optimize.targets(parts, config.octaves, {**pictures, "sources": [source]}) for source in pictures["sources"]
    ]
    args = steps.place((parts.extractor.weights, jax.tree.map(lambda *leaves: jnp.stack(leaves), *targets)))
    key, *args = devices.everywhere(layout, (jax.random.key(config.seed), *args))
    state = steps.compiled(functools.partial(_start, setup))(key)
    inputs = photographs or functools.partial(steps.compiled(functools.partial(_noise, setup)), key)
    if saved is None:
        shape = (len(setup.codes), 1, *setup.size, optimize.channels(pictures))
        first = loop.Iterate(0, np.zeros(shape, np.float32), {"loss": np.full((1, 1), np.nan)}, 0.0, state)
    else:
        images = jax.eval_shape(functools.partial(_samples, setup), state, inputs(0))
        wanted = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)
        first = saved.load(images, wanted)
    return optimize.Prepared(parts, first, _iterates(config, setup, key, inputs, tuple(args), first))


def build_generator(config: configs.Config, channels: int, sources: int) -> types.Generator:
    """Return the generator of a config. Raises as the function that the config names."""
    return settings.build(generators, config.generator, channels, sources)


def to_images(config: configs.Config) -> ranges.Range:
    """Return how what the generator returns becomes images in [0, 1]. Raises TexjaxError for another optimizer."""
    if config.optimizer.name != "adam":
        raise errors.TexjaxError(
            f"optimizer.name is '{config.optimizer.name}', and a generator is trained by adam; set it to 'adam'."
        )
    return ranges.get(config.optimizer.range, RANGES, "adam where it trains a generator")


def _check_photographs(
    config: configs.Config, pictures: exemplar_pictures.Pictures, photographs: Photographs | None
) -> None:
    """Raise TexjaxError where photographs are missing, are given to a generator of noise, or are to be turned."""
    generator = build_generator(config, optimize.channels(pictures), len(pictures["sources"]))
    if generator.draw is None and photographs is None:
        raise errors.TexjaxError(
            f"the generator {config.generator.name} restyles photographs, and none are given; name their "
            "folder by --photos."
        )
    if generator.draw is not None and photographs is not None:
        raise errors.TexjaxError(
            f"the generator {config.generator.name} makes textures of noise; leave the photographs out."
        )
    for name, term in config.terms.items():
        for key in ("rotations", "scales"):
            if term.group == "content" and term[key]:
                raise errors.TexjaxError(
                    f"terms.{name}.{key} is {term[key]}, and a training keeps each photograph as it is; set "
                    f"--config.terms.{name}.{key}=0."
                )


def _layout(config: configs.Config) -> devices.Layout | None:
    """How the pictures of a step are spread. Raises TexjaxError where there is only one for each source."""
    layout = devices.layout(config)
    if layout and layout.by_rows:
        raise errors.TexjaxError(
            "devices is 'all', over which a training spreads the pictures of a step, and count is 1; give more by "
            "--config.count, or --config.devices=one."
        )
    return layout


def _setup(
    config: configs.Config,
    parts: build.Parts,
    pictures: exemplar_pictures.Pictures,
    layout: devices.Layout | None = None,
) -> Setup:
    sources, handling = len(pictures["sources"]), to_images(config)
    generator = build_generator(config, optimize.channels(pictures), sources)
    width, height = config.size
    sides = [str(generating.rounded_up(side, generator)) for side in (width, height)]
    for side, name in ((width, "width"), (height, "height")):
        if side % generator.multiple:
            raise errors.TexjaxError(
                f"the {name} of the training pictures is {side} px, and the generator makes multiples of "
                f"{generator.multiple}; give --config.size=({', '.join(sides)})."
            )
    # The learning rate falls by a cosine to a share of its start.
    rate = optax.cosine_decay_schedule(config.optimizer.learning_rate, config.max_iter, config.training.decay)
    # Every step counts as much, however large its loss is: losses of textures fall over decades, and a photograph of
    # high contrast may have a hundred times the loss of others. So it does not matter in what units the loss is.
    even = optax.normalize_by_update_norm(eps=EPSILON)
    solver = optax.chain(even, optax.adam(rate, config.optimizer.b1, config.optimizer.b2, eps=EPSILON))
    codes = jnp.repeat(jnp.eye(sources), config.count, axis=0)
    return Setup(generator, parts, handling, solver, codes, (height, width), layout)


def _start(setup: Setup, key: types.PRNGKey) -> State:
    weights = setup.generator.init(key)
    return State(weights, setup.solver.init(weights["params"]))


def _noise(setup: Setup, key: types.PRNGKey, step: Any) -> Any:
    """The noise of all pictures of a step."""
    draw: Any = setup.generator.draw
    window = types.Window(0, 0, *setup.size, setup.size)
    keys = jax.random.split(jax.random.fold_in(key, step), len(setup.codes))
    return devices.spread(setup.layout, jax.vmap(lambda key: draw(key, window))(keys))


def _evaluate(
    setup: Setup, state: State, key: types.PRNGKey, step: Any, inputs: Any, weights: types.Weights, targets: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """The parameters with new statistics, the gradient, and the metrics of the pictures that the inputs become.

    The key is that of the terms' choices.
    """
    sources, problem = setup.codes.shape[1], setup.parts.objective
    photos = inputs if setup.generator.draw is None else None

    def value(params: Any) -> tuple[types.Scalar, Any]:
        variables, renewed = setup.generator.train({**state.weights, "params": params}, inputs, setup.codes)
        images = setup.handling.to_images(variables)
        grouped, contents = jax.tree.map(lambda x: x.reshape(sources, -1, *x.shape[1:]), (images, photos))

        def of_stack(images: types.Images, targets: Any) -> tuple[types.Scalar, dict[str, types.Scalar]]:
            choices = (problem.refresh(images, weights, targets, None, key, step),) if problem.periods else ()
            return problem.value(images, weights, targets, *choices)

        def of_source(images: types.Images, photos: Any, targets: Any) -> Any:
            if photos is None:
                return of_stack(images, targets)

            def of_picture(image: types.Image, photo: types.Image) -> Any:
                own = problem.join([problem.summarize(weights, photo, CONTENT)])
                return of_stack(image[None], {**targets, **own})

            return jax.tree.map(jnp.sum, jax.vmap(of_picture)(images, photos))

        totals, shares = jax.vmap(of_source)(grouped, contents, targets)
        # The terms add over the pictures, and the loss is a mean, which does not depend on their number.
        total, shares = jax.tree.map(lambda x: x.sum() / len(images), (totals, shares))
        metrics = {"loss": total, "terms": shares, "low": images.min(), "high": images.max()}
        # The penalty is in units of the loss.
        penalty = jax.lax.stop_gradient(total) * setup.handling.penalty(variables) / variables.size
        return total + PENALTY * penalty, (renewed, metrics)

    gradient, (renewed, metrics) = jax.grad(value, has_aux=True)(state.weights["params"])
    return renewed, gradient, {**metrics, "gradient": optax.tree.norm(gradient), "failed": jnp.array(False)}


def _step(setup: Setup, state: State, key: types.PRNGKey, step: Any, *args: Any) -> tuple[State, dict[str, Any]]:
    renewed, gradient, metrics = _evaluate(setup, state, jax.random.fold_in(key, step), step, *args)
    updates, optimizer = setup.solver.update(gradient, state.optimizer)
    params = optax.apply_updates(state.weights["params"], updates)
    return state._replace(weights={**renewed, "params": params}, optimizer=optimizer), metrics


def _samples(setup: Setup, state: State, inputs: Any) -> jax.Array:
    """A picture for each code, [pictures, 1, h, w, c]."""
    return setup.handling.to_images(setup.generator.apply(state.weights, inputs, setup.codes))[:, None]


def _iterates(
    config: configs.Config,
    setup: Setup,
    key: types.PRNGKey,
    inputs: Callable[[int], Any],
    args: tuple[Any, ...],
    first: loop.Iterate,
) -> Iterator[loop.Iterate]:
    state, step = first.state, first.step
    # The host calls every step, because XLA on CPU computes the gradients of kernels ten times slower inside loops.
    take_step = steps.compiled(functools.partial(_step, setup), donated="state")
    samples = steps.compiled(functools.partial(_samples, setup))
    begin = time.perf_counter()
    while step < config.max_iter:
        count = min(config.save_every, config.max_iter - step)
        lines = []
        for _ in range(count):
            step += 1
            # The device goes on with the step before while photographs are read.
            state, line = take_step(state, key, step, inputs(step), *args)
            lines.append(line)
        images, lines = jax.device_get((samples(state, inputs(0)), lines))
        metrics = jax.tree.map(lambda *values: np.stack(values)[:, None], *lines)
        metrics["evaluations"] = np.arange(step - count + 1, step + 1)[:, None]
        yield loop.Iterate(step, images, metrics, time.perf_counter() - begin, state)
        begin = time.perf_counter()
