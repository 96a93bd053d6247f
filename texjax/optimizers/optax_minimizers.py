"""Optimizers of optax behind the `Minimizer` contract."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from texjax import types
from texjax.optimizers import ranges, scaling


class State(NamedTuple):
    """The variables, the factor on the objective, optax's own state, and the last evaluation."""

    free: types.Images
    scale: types.Scalar
    solver: Any
    value: types.Scalar
    loss: scaling.Loss
    gradient: types.Images
    evaluations: Any
    failed: Any


def optax_lbfgs(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "penalty", max_linesearch: int = 20
) -> types.Minimizer:
    """L-BFGS of optax with its zoom line search; settings as of `lbfgs`."""
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "optax_lbfgs")
    ranges.check_numbers(history_size=history_size, max_linesearch=max_linesearch)
    search = optax.scale_by_zoom_linesearch(max_linesearch_steps=max_linesearch, initial_guess_strategy="one")
    solver: Any = optax.lbfgs(memory_size=history_size, linesearch=search)

    def update(evaluate: Callable[..., Any], state: State, *args: Any) -> tuple[Any, Any, Any, Any]:
        # optax differentiates what it is given. This tells it the gradient that `evaluate` has found already.
        def forward(free: types.Images) -> tuple[types.Scalar, types.Images]:
            (total, _), gradient = evaluate(free, state.scale, *args)
            return total, gradient

        value = jax.custom_vjp(lambda free: forward(free)[0])
        value.defvjp(forward, lambda gradient, cotangent: (cotangent * gradient,))
        updates, after = solver.update(
            state.gradient, state.solver, state.free, value=state.value, grad=state.gradient, value_fn=value
        )
        search = after[-1]
        # A search that gives up at a step of almost nothing says that it decreased enough.
        rounding = jnp.finfo(state.value.dtype).eps * jnp.abs(state.value)
        failed = ~(search.info.decrease_error <= 0) | ~(search.value < state.value - rounding)
        return updates, after, search.info.num_linesearch_steps, failed

    def shifted(after: Any, change: types.Images) -> Any:
        # optax takes the gradient of the last step off the next one; of both the objective must be one.
        memory = after[0]
        return (memory._replace(updates=memory.updates + change), *after[1:])

    return _minimizer(objective, handling, solver, update, shifted)


def adam(
    objective: Callable[..., Any],
    *,
    learning_rate: float = 0.02,
    b1: float = 0.9,
    b2: float = 0.999,
    range: str = "clip",
) -> types.Minimizer:
    """Adam (Kingma & Ba 2015); the learning rate is in units of the image's range."""
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "adam")
    solver = optax.adam(learning_rate, b1, b2)

    def update(evaluate: Callable[..., Any], state: State, *args: Any) -> tuple[Any, Any, Any, Any]:
        updates, after = solver.update(state.gradient, state.solver, state.free)
        return updates, after, 0, False

    return _minimizer(objective, handling, solver, update, lambda after, change: after)


def _minimizer(
    objective: Callable[..., Any],
    handling: ranges.Range,
    solver: Any,
    update: Callable[..., Any],
    shifted: Callable[[Any, types.Images], Any],
) -> types.Minimizer:
    """shifted: optax's state where the gradient at the same place changes by so much."""
    evaluate = scaling.scaled(objective, handling)

    def init(images: types.Images, *args: Any) -> State:
        free = handling.free(images)
        (value, loss), gradient = evaluate(free, jnp.ones((), free.dtype), *args)
        scale = scaling.first_scale(gradient)
        start = scaling.strong(solver.init(free))
        # The penalty is zero here, so that scaling value and gradient is as good as evaluating them again.
        count, failed = jnp.array(1, jnp.int32), jnp.array(False)
        return State(free, scale, start, scale * value, loss, scale * gradient, count, failed)

    def step(state: State, *args: Any) -> State:
        updates, after, evaluations, failed = update(evaluate, state, *args)
        free: Any = optax.apply_updates(state.free, updates)
        free = handling.project(free) if handling.project else free
        (value, loss), gradient = evaluate(free, state.scale, *args)
        count = state.evaluations + jnp.asarray(evaluations, jnp.int32) + 1
        return State(free, state.scale, after, value, loss, gradient, count, jnp.asarray(failed, bool))

    def renew(state: State, *args: Any) -> State:
        (value, loss), gradient = evaluate(state.free, state.scale, *args)
        solver = shifted(state.solver, gradient - state.gradient)
        count = state.evaluations + 1
        return state._replace(solver=solver, value=value, loss=loss, gradient=gradient, evaluations=count)

    def read(state: State) -> tuple[types.Images, dict[str, Any]]:
        images = handling.image(state.free)
        return images, scaling.metrics(images, state.loss, state.gradient, state.scale, state.evaluations, state.failed)

    return types.Minimizer(init, step, renew, read)
