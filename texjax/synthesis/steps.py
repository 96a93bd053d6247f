"""The compiled program that takes the steps of a run.

Up to `save_every` steps run in one call to the device, with the first evaluation and its scaling included, so that the
host is not in the inner loop and one compilation serves the whole run, whatever its number of steps.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from texjax import errors, types
from texjax.synthesis import devices, heap

BATCH_MODES = ("vmap", "map")


class State(NamedTuple):
    """The minimizer's own state, and the choices that hold until the next refresh: one entry, or none."""

    minimizer: Any
    choices: tuple[Any, ...]


class Program(NamedTuple):
    """The compiled program of a run.

    run: (images, state, keys, fresh, begin, steps, *args) -> (state, images, metrics), `steps` <= `save_every` steps.
        images: [count, n, h, w, c], `count` independent problems. keys: [count], of the refreshes. fresh: whether to
        start from `images`; `state` is ignored then. begin: the number of steps taken before.
    empty: (images, keys, *args) -> a state of zeros, to be passed with `fresh`.
    compile: (images, state, keys, *args), as of `run` -> nothing; the first call of `run` then needs no compiling, and
        the compiler's memory is free before the program takes its own.
    place: (tree of arrays) -> the tree on the devices of the program.
    """

    run: Callable[..., Any]
    empty: Callable[..., Any]
    compile: Callable[..., None]
    place: Callable[[Any], Any]


def place(tree: Any) -> Any:
    """Put the arrays of a tree on the device. Every array that a program takes passes here."""
    return jax.tree.map(jnp.asarray, tree)


def program(
    minimizer: types.Minimizer,
    save_every: int,
    batch_mode: str = "map",
    refresh: Callable[..., Any] | None = None,
    periods: tuple[int, ...] = (),
    layout: devices.Layout | None = None,
) -> Program:
    """Return the program that advances `count` independent problems, together ("vmap") or in turn ("map").

    Args:
        minimizer: of an objective with the arguments (images, *args), and then the choices where there is a refresh.
        save_every: the most steps in one call.
        batch_mode: "map" or "vmap".
        refresh: (images, *args, previous choices or None, key, step) -> choices, see `objective.Objective`.
        periods: before a step that any of these numbers divides the choices are refreshed.
        layout: how outputs, or the rows of a single one, are spread over several devices.

    Raises:
        TexjaxError: for an unknown batch mode.
    """
    if batch_mode not in BATCH_MODES:
        raise errors.unknown("batch mode", batch_mode, BATCH_MODES)
    start, take_step = _steps(minimizer, refresh if periods else None, periods)

    def run(images: types.Images, state: State, key: types.PRNGKey, fresh: Any, begin: Any, steps: Any, *args: Any):
        state = _replaced(fresh, lambda state: start(images, key, *args), state)
        first = minimizer.read(state.minimizer)[1]
        log = jax.tree.map(lambda x: jnp.zeros((save_every, *x.shape), x.dtype).at[0].set(x), first)

        def body(i: Any, carry: Any) -> Any:
            state, log = carry
            state = take_step(state, key, begin + i, *args)
            return state, jax.tree.map(lambda rows, x: rows.at[i].set(x), log, minimizer.read(state.minimizer)[1])

        state, log = lax.fori_loop(0, steps, body, (state, log))
        return state, minimizer.read(state.minimizer)[0], log

    def run_single(images: Any, state: Any, keys: Any, *rest: Any) -> Any:
        if layout:
            images, state = devices.by_rows(layout, (images, state), images.shape[-3])
        state, *outputs = run(images[0], state, keys[0], *rest)
        if layout:
            state = devices.by_rows(layout, state, images.shape[-3])
        return state, *jax.tree.map(lambda x: x[None], outputs)

    def run_several(images: Any, state: Any, keys: Any, fresh: Any, begin: Any, steps: Any, *args: Any) -> Any:
        # The step is not batched: under vmap a batched predicate would turn `cond` into `select`, which runs both
        # branches, so that every step would refresh.
        def run_one(images: types.Images, state: State, key: types.PRNGKey) -> Any:
            return run(images, state, key, fresh, begin, steps, *args)

        if batch_mode == "vmap":
            return jax.vmap(run_one)(images, state, keys)
        return lax.map(lambda inputs: run_one(*inputs), (images, state, keys))

    def run_all(images: Any, state: Any, *rest: Any) -> Any:
        # The state of a single output has no axis for the outputs, which would make XLA copy the whole state.
        if len(images) == 1:
            return run_single(images, state, *rest)
        return (devices.by_outputs(layout, run_several, 3) if layout else run_several)(images, state, *rest)

    def empty(images: Any, keys: Any, *args: Any) -> Any:
        def start_one(images: types.Images, key: types.PRNGKey) -> State:
            return start(images, key, *args)

        def start_first(images: Any, keys: Any) -> State:
            return start_one(images[0], keys[0])

        single = images.shape[0] == 1
        shapes = jax.eval_shape(start_first if single else jax.vmap(start_one), images, keys)
        return devices.zeros(layout, shapes, images.shape[-3])

    jitted = compiled(run_all, donated="state")

    def compile(images: Any, state: Any, keys: Any, *args: Any) -> None:
        jitted.lower(images, state, keys, True, 0, 0, *args).compile()
        heap.trim()

    return Program(jitted, empty, compile, functools.partial(devices.everywhere, layout))


def _replaced(condition: Any, new: Callable[[State], State], state: State) -> State:
    """Return new(state) or the state: a loop that runs once or never, as `lax.cond` copies what it passes through."""

    def body(carry: Any) -> Any:
        return jnp.zeros_like(carry[0]), new(carry[1])

    return lax.while_loop(lambda carry: carry[0], body, (jnp.asarray(condition), state))[1]


def _steps(
    minimizer: types.Minimizer, refresh: Callable[..., Any] | None, periods: tuple[int, ...]
) -> tuple[Callable[..., State], Callable[..., State]]:
    """The functions (images, key, *args) -> state and (state, key, step, *args) -> state, with their refreshes."""

    def start(images: types.Images, key: types.PRNGKey, *args: Any) -> State:
        choices = (refresh(images, *args, None, key, 0),) if refresh else ()
        return State(minimizer.init(images, *args, *choices), choices)

    def renew(state: State, key: types.PRNGKey, step: Any, *args: Any) -> State:
        images, (previous,) = minimizer.read(state.minimizer)[0], state.choices
        assert refresh is not None
        choices = (refresh(images, *args, previous, jax.random.fold_in(key, step), step),)
        # The history is kept: new choices move the optimum but hardly change the curvature.
        return State(minimizer.renew(state.minimizer, *args, *choices), choices)

    def take_step(state: State, key: types.PRNGKey, step: Any, *args: Any) -> State:
        if refresh:
            due = functools.reduce(operator.or_, [step % period == 0 for period in periods])
            state = _replaced((step > 0) & due, lambda state: renew(state, key, step, *args), state)
        return state._replace(minimizer=minimizer.step(state.minimizer, *args, *state.choices))

    return start, take_step


def compiled(function: Callable[..., Any], *static: str, donated: str | None = None) -> Callable[..., Any]:
    """Jit `function`, on CPU with less of LLVM's optimization.

    static: names of arguments that are no arrays. donated: name of an argument whose memory the results may take, so
    that the caller cannot use it again.


    This shortens compilation by a fifth and runs no slower, as the time is spent in a library's convolutions.
    """
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    return jax.jit(function, static_argnames=static, donate_argnames=donated, compiler_options=options)
