"""Optimizers of optax behind the `types.Minimizer` contract."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from texjax import types, validate
from texjax.optimizers import ranges, scaling


class State(NamedTuple):
    """The state of a minimizer.

    variables: what the optimizer changes: the images in the form of their range handling.
    scale: the factor on the objective.
    solver_state: optax's own state.
    value: the scaled objective plus the penalty, at the variables.
    evaluation: the unscaled loss and its terms, at the variables.
    gradient: of `value`.
    evaluation_count: evaluations since the start.
    failed: whether the last line search failed.
    """

    variables: types.Images
    scale: types.Scalar
    solver_state: Any
    value: types.Scalar
    evaluation: scaling.Evaluation
    gradient: types.Images
    evaluation_count: Any
    failed: Any


def optax_lbfgs(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "penalty", max_linesearch: int = 20
) -> types.Minimizer:
    """Return optax's L-BFGS with its zoom line search; arguments and errors are those of `lbfgs`."""
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "optax_lbfgs")
    validate.whole("optimizer.history_size", history_size, 1)
    validate.whole("optimizer.max_linesearch", max_linesearch, 1)
    search = optax.scale_by_zoom_linesearch(max_linesearch_steps=max_linesearch, initial_guess_strategy="one")
    solver: Any = optax.lbfgs(memory_size=history_size, linesearch=search)

    def update(evaluate: Callable[..., Any], state: State, *args: Any) -> tuple[Any, Any, Any, Any]:
        # optax differentiates the function that it gets, a second evaluation. This rule hands it the gradient that
        # `evaluate` returns beside the value.
        def forward(variables: types.Images) -> tuple[types.Scalar, types.Images]:
            (value, _), gradient = evaluate(variables, state.scale, *args)
            return value, gradient

        value = jax.custom_vjp(lambda variables: forward(variables)[0])
        value.defvjp(forward, lambda gradient, cotangent: (cotangent * gradient,))
        updates, solver_state = solver.update(
            state.gradient,
            state.solver_state,
            state.variables,
            value=state.value,
            grad=state.gradient,
            value_fn=value,
        )
        search = solver_state[-1]
        # A search that gives up after an almost vanishing step still reports a sufficient decrease.
        rounding = jnp.finfo(state.value.dtype).eps * jnp.abs(state.value)
        failed = ~(search.info.decrease_error <= 0) | ~(search.value < state.value - rounding)
        return updates, solver_state, search.info.num_linesearch_steps, failed

    def shift_gradient(solver_state: Any, change: types.Images) -> Any:
        # optax subtracts the last step's gradient from the next step's. Both must be gradients of one objective.
        memory = solver_state[0]
        return (memory._replace(updates=memory.updates + change), *solver_state[1:])

    return _minimizer(objective, handling, solver, update, shift_gradient)


def adam(
    objective: Callable[..., Any],
    *,
    learning_rate: float = 0.02,
    b1: float = 0.9,
    b2: float = 0.999,
    range: str = "clip",
) -> types.Minimizer:
    """Return Adam (Kingma & Ba 2015).

    Args:
        objective: (images, *args) -> (loss, terms).
        learning_rate: in units of the image's range.
        b1: decay of the mean of the gradients.
        b2: decay of the mean of their squares.
        range: see `ranges`.

    Raises:
        TexjaxError: for an unknown range handling or one that Adam does not have, and for numbers out of range.
    """
    validate.real("optimizer.learning_rate", learning_rate, 1e-6, 10)
    validate.real("optimizer.b1", b1, 0, 0.9999)
    validate.real("optimizer.b2", b2, 0, 0.999999)
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "adam")
    solver = optax.adam(learning_rate, b1, b2)

    def update(evaluate: Callable[..., Any], state: State, *args: Any) -> tuple[Any, Any, Any, Any]:
        updates, solver_state = solver.update(state.gradient, state.solver_state, state.variables)
        return updates, solver_state, 0, False

    return _minimizer(objective, handling, solver, update, lambda solver_state, change: solver_state)


def _minimizer(
    objective: Callable[..., Any],
    handling: ranges.Range,
    solver: Any,
    update: Callable[..., Any],
    shift_gradient: Callable[[Any, types.Images], Any],
) -> types.Minimizer:
    """Return a minimizer around an optax solver.

    update: (evaluate, state, *args) -> (updates of the variables, optax's state, evaluations, whether a search failed).
    shift_gradient: (optax's state, change of the gradient at the same variables) -> optax's state.
    """
    evaluate = scaling.scaled(objective, handling)

    def init(images: types.Images, *args: Any) -> State:
        variables = handling.to_variables(images)
        (value, evaluation), gradient = evaluate(variables, jnp.ones((), variables.dtype), *args)
        scale = scaling.first_scale(gradient)
        solver_state = scaling.strong(solver.init(variables))
        # The penalty is zero here, so the value and gradient can be scaled without another evaluation.
        count, failed = jnp.array(1, jnp.int32), jnp.array(False)
        return State(variables, scale, solver_state, scale * value, evaluation, scale * gradient, count, failed)

    def step(state: State, *args: Any) -> State:
        updates, solver_state, search_count, failed = update(evaluate, state, *args)
        variables: Any = optax.apply_updates(state.variables, updates)
        variables = handling.project(variables) if handling.project else variables
        (value, evaluation), gradient = evaluate(variables, state.scale, *args)
        count = state.evaluation_count + jnp.asarray(search_count, jnp.int32) + 1
        failed = jnp.asarray(failed, bool)
        return State(variables, state.scale, solver_state, value, evaluation, gradient, count, failed)

    def renew(state: State, *args: Any) -> State:
        (value, evaluation), gradient = evaluate(state.variables, state.scale, *args)
        return state._replace(
            solver_state=shift_gradient(state.solver_state, gradient - state.gradient),
            value=value,
            evaluation=evaluation,
            gradient=gradient,
            evaluation_count=state.evaluation_count + 1,
        )

    def read(state: State) -> tuple[types.Images, dict[str, Any]]:
        images = handling.to_images(state.variables)
        return images, scaling.metrics(
            images, state.evaluation, state.gradient, state.scale, state.evaluation_count, state.failed
        )

    return types.Minimizer(init, step, renew, read)
