"""A minimizer of an objective of which something holds for some steps, such as the matches of its patches."""

import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int

from texjax import types


class State(NamedTuple):
    """The minimizer's own state, what is held, and the number of steps done."""

    inner: Any
    held: Any
    done: Int[Array, ""]


def holding(minimizer: types.Minimizer, prepare: Callable[..., Any], periods: tuple[int, ...]) -> types.Minimizer:
    """`minimizer`, given what is held as the last of its arguments.

    That is prepared at the start, and anew before every step whose number any of the periods divides. There the
    minimizer goes on with its history: it knows the objective's curvature, and other matches are another place for the
    features to be drawn to.

    prepare: (images, *args, held before or None, step) -> held.
    """

    def init(images: types.Images, *args: Any) -> State:
        held = prepare(images, *args, None, 0)
        return State(minimizer.init(images, *args, held), held, jnp.zeros((), jnp.int32))

    def anew(state: State, *args: Any) -> State:
        held = prepare(minimizer.read(state.inner)[0], *args, state.held, state.done)
        return state._replace(inner=minimizer.renew(state.inner, *args, held), held=held)

    def step(state: State, *args: Any) -> State:
        state = state._replace(done=_shared(state.done))
        due = (state.done > 0) & functools.reduce(operator.or_, [state.done % period == 0 for period in periods])
        state = lax.cond(due, lambda: anew(state, *args), lambda: state)
        return State(minimizer.step(state.inner, *args, state.held), state.held, state.done + 1)

    def renew(state: State, *args: Any) -> State:
        return state._replace(inner=minimizer.renew(state.inner, *args, state.held))

    return types.Minimizer(init, step, renew, lambda state: minimizer.read(state.inner))


@jax.custom_batching.custom_vmap
def _shared(done: Int[Array, ""]) -> Int[Array, ""]:
    """The number of steps, one for all of a batch: were it one of each, every step would prepare, and then choose."""
    return done


@_shared.def_vmap
def _(size: int, batched: list[bool], done: Int[Array, " n"]) -> tuple[Int[Array, ""], bool]:
    return (done[0] if batched[0] else done), False
