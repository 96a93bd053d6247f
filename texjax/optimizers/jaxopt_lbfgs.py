"""L-BFGS and L-BFGS-B of jaxopt behind the `types.Minimizer` contract; the only module that imports jaxopt.

jaxopt is no longer maintained. It works on every supported JAX if the objective is scaled (see `scaling`) and if
jaxopt's own stopping rule is off, because that compares the gradient with an absolute `tol`.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from texjax import types, validate
from texjax.optimizers import ranges, scaling

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="JAXopt is no longer maintained", category=DeprecationWarning)
    import jaxopt

# Root mean square of the first trial step after a failed line search; the range of an image is 1.
RESTART_STEP = 0.01


class State(NamedTuple):
    """The state of a minimizer.

    variables: what the optimizer changes: the images in the form of their range handling.
    scale: the factor on the objective.
    solver_state: jaxopt's own state, which holds the last evaluation.
    """

    variables: types.Images
    scale: types.Scalar
    solver_state: Any


def lbfgs(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "penalty", max_linesearch: int = 20
) -> types.Minimizer:
    """Return limited-memory BFGS (Liu & Nocedal 1989) with the zoom line search for the strong Wolfe conditions.

    After a failed line search the history is dropped, and the next step is a short one down the gradient.

    Args:
        objective: (images, *args) -> (loss, terms).
        history_size: curvature pairs that are kept.
        range: see `ranges`.
        max_linesearch: evaluations after which a line search has failed.

    Raises:
        TexjaxError: for a range handling that is unknown or not possible, and for numbers out of range.
    """
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "lbfgs")
    evaluate = scaling.scaled(objective, handling)
    renew = _renew(evaluate)
    solver = _one_loop(jaxopt.LBFGS(use_gamma=False, **_settings(evaluate, history_size, max_linesearch)))

    def step(state: State, *args: Any) -> State:
        variables, solver_state = solver.update(state.variables, state.solver_state, state.scale, *args)
        histories, rest = _split(solver_state)
        pair = variables - state.variables, rest.grad - state.solver_state.grad
        before = state._replace(solver_state=_split(state.solver_state)[1])
        variables, rest = _undo_uphill(before, variables, rest)
        solver_state = _restart_after_failure(rest._replace(**histories, gamma=_gamma(*pair)), pair)
        if handling.project is not None:
            return renew(State(handling.project(variables), state.scale, solver_state), *args)
        return State(variables, state.scale, solver_state)

    def start(variables: types.Images, *args: Any) -> Any:
        return solver.init_state(variables, *args)

    return types.Minimizer(_init(handling, start), step, renew, _read(handling))


def lbfgsb(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "bounds", max_linesearch: int = 20
) -> types.Minimizer:
    """Return L-BFGS-B (Byrd et al. 1995) with the bounds 0 and 1; arguments and errors are those of `lbfgs`.

    jaxopt's L-BFGS-B makes less progress per iteration than `lbfgs` with a range penalty.
    """
    handling = ranges.get(range, ("none", "bounds"), "lbfgsb")
    low, high = (0.0, 1.0) if range == "bounds" else (-jnp.inf, jnp.inf)
    evaluate = scaling.scaled(objective, handling)
    solver = _one_loop(jaxopt.LBFGSB(**_settings(evaluate, history_size, max_linesearch)))

    def bounds(variables: types.Images) -> tuple[types.Images, types.Images]:
        return jnp.full_like(variables, low), jnp.full_like(variables, high)

    def start(variables: types.Images, *args: Any) -> Any:
        return solver.init_state(variables, bounds(variables), *args)

    def step(state: State, *args: Any) -> State:
        variables, solver_state = solver.update(
            state.variables, state.solver_state, bounds(state.variables), state.scale, *args
        )
        variables, solver_state = _undo_uphill(state, variables, solver_state)
        return State(variables, state.scale, solver_state)

    return types.Minimizer(_init(handling, start), step, _renew(evaluate), _read(handling))


def _split(solver_state: Any) -> tuple[dict[str, Any], Any]:
    """Return the histories, and the state without them: they are as large as many images, and costly to select from."""
    histories = {name: getattr(solver_state, name) for name in ("s_history", "y_history", "rho_history")}
    return histories, solver_state._replace(**dict.fromkeys(histories, ()))


def _gamma(s: types.Images, y: types.Images) -> types.Scalar:
    """Return the scale of the first approximation of the inverse Hessian (Nocedal & Wright, eq. 7.20)."""
    square = jnp.vdot(y, y)
    return jnp.where(square > 0, jnp.vdot(y, s) / square, 1.0)


def _restart_after_failure(solver_state: Any, pair: tuple[types.Images, types.Images]) -> Any:
    """Return the state; after a failed line search without a history, and with a short next step.

    A pair counts as much as its rho says, so that a rho of zero drops it. Only the last pair, which the failed search
    has stored, may hold what is no number.
    """
    failed, rho = solver_state.failed_linesearch, solver_state.rho_history
    last = (solver_state.iter_num - 1) % len(rho)
    s, y = (jnp.where(failed, 0, part) for part in pair)
    return solver_state._replace(
        s_history=solver_state.s_history.at[last].set(s),
        y_history=solver_state.y_history.at[last].set(y),
        rho_history=jnp.where(failed, 0, rho),
        gamma=jnp.where(failed, RESTART_STEP / jnp.maximum(scaling.rms(solver_state.grad), 1e-30), solver_state.gamma),
        stepsize=jnp.where(failed, 1, solver_state.stepsize),
    )


def _undo_uphill(state: State, variables: types.Images, solver_state: Any) -> tuple[types.Images, Any]:
    """Return the new variables and jaxopt's state, or the old ones with a failed search where the loss did not fall."""
    before = state.solver_state._replace(
        failed_linesearch=jnp.array(True), iter_num=solver_state.iter_num, num_grad_eval=solver_state.num_grad_eval
    )
    fell = solver_state.value < state.solver_state.value  # False for NaN
    return _select(fell, (variables, solver_state), (state.variables, before))


def _settings(evaluate: Callable[..., Any], history_size: int, max_linesearch: int) -> dict[str, Any]:
    """Return the settings of both solvers.

    At the start of every line search jaxopt calls `fun` for the auxiliary output at a point whose value and gradient it
    already has, which would waste a forward pass. So `fun` returns a blank of NaN here. Where a line search finds no
    better point, `step` keeps the state before it, which has the true auxiliary output.

    Every search tries the whole step first, as SciPy does. jaxopt's default, which lets the first trial grow from the
    step before, was up to a fifth behind after 60 iterations.
    """
    validate.whole("optimizer.history_size", history_size, 1)
    validate.whole("optimizer.max_linesearch", max_linesearch, 1)

    # L-BFGS-B inserts its bounds after the first name of this signature.
    def blank(variables: types.Images, *args: Any) -> Any:
        (value, evaluation), _ = jax.eval_shape(evaluate, variables, *args)
        return jax.tree.map(lambda s: jnp.full(s.shape, jnp.nan, s.dtype), (value, evaluation))

    return dict(
        fun=blank,
        value_and_grad=evaluate,
        has_aux=True,
        tol=0.0,
        history_size=history_size,
        linesearch="zoom",
        linesearch_init="max",
        maxls=max_linesearch,
    )


def _one_loop(solver: Any) -> Any:
    """Rewire the line search of a jaxopt solver to one loop that evaluates the network in two places instead of six.

    XLA compiles the network once for each place, but for two of the six that it finds unreachable. jaxopt writes the
    first iteration out before the loop, and after a failed search it evaluates once more for a step that is better than
    none; here `step` restarts instead.
    """
    search = solver.run_ls.__self__
    search._make_safe_step = search._keep_step

    def run(stepsize: Any, params: Any, *, fun_args: Any, fun_kwargs: Any, **start: Any) -> Any:
        settings = dict(start, fun_args=fun_args, fun_kwargs=fun_kwargs)

        def body(carry: Any) -> Any:
            return tuple(search.update(carry[0], carry[1], params, **settings))

        first = (stepsize, search.init_state(stepsize, params, **settings))
        first = jax.tree.map(lambda x, s: jnp.asarray(x, s.dtype), first, jax.eval_shape(body, first))
        return jax.lax.while_loop(lambda carry: ~(carry[1].done | carry[1].failed), body, first)

    solver.run_ls = run
    return solver


def _init(handling: ranges.Range, start: Callable[..., Any]) -> Callable[..., State]:
    """Return `Minimizer.init`; start: (variables, scale, *args) -> jaxopt's state."""

    def init(images: types.Images, *args: Any) -> State:
        variables = handling.to_variables(images)
        solver_state = start(variables, jnp.ones((), variables.dtype), *args)
        # The penalty is zero here, so the value and gradient can be scaled without another evaluation.
        scale = scaling.first_scale(solver_state.grad)
        solver_state = solver_state._replace(value=scale * solver_state.value, grad=scale * solver_state.grad)
        return State(variables, scale, scaling.strong(solver_state))

    return init


def _renew(evaluate: Callable[..., Any]) -> Callable[..., State]:
    """Return `Minimizer.renew`, which evaluates again and keeps the history.

    The history stays valid, as each of its pairs is a difference of two gradients of one and the same objective.
    """

    def renew(state: State, *args: Any) -> State:
        (value, evaluation), gradient = evaluate(state.variables, state.scale, *args)
        count = state.solver_state.num_grad_eval + 1
        solver_state = state.solver_state._replace(value=value, aux=evaluation, grad=gradient, num_grad_eval=count)
        return state._replace(solver_state=solver_state)

    return renew


def _read(handling: ranges.Range) -> Callable[[State], tuple[types.Images, dict[str, Any]]]:
    """Return `Minimizer.read`."""

    def read(state: State) -> tuple[types.Images, dict[str, Any]]:
        images, solver_state = handling.to_images(state.variables), state.solver_state
        # jaxopt counts the blank of every line search as an evaluation.
        count = solver_state.num_grad_eval - solver_state.iter_num
        return images, scaling.metrics(
            images, solver_state.aux, solver_state.grad, state.scale, count, solver_state.failed_linesearch
        )

    return read


def _select(condition: Any, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
