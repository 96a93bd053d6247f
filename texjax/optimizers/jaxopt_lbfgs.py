"""L-BFGS and L-BFGS-B of jaxopt behind the `Minimizer` contract; the only module that imports jaxopt.

jaxopt is no longer maintained but works on every supported JAX if the objective is scaled (`scaling`) and its own
stopping rule is off: `tol` there is absolute.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from texjax import types
from texjax.optimizers import ranges, scaling

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="JAXopt is no longer maintained", category=DeprecationWarning)
    import jaxopt

# After a failed line search the memory is dropped, and the next trial step has this root mean square (of [0, 1]).
RESTART_STEP = 0.01


class State(NamedTuple):
    """The variables, the factor on the objective, and jaxopt's own state."""

    free: types.Images
    scale: types.Scalar
    solver: Any


def lbfgs(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "penalty", max_linesearch: int = 20
) -> types.Minimizer:
    """Limited-memory BFGS (Liu & Nocedal 1989) with the zoom line search for strong Wolfe conditions.

    objective: (images, *args) -> (loss, terms). history_size: curvature pairs kept. range: see `ranges`.
    max_linesearch: evaluations after which a line search has failed.

    A failed line search drops the memory and restarts with a short step down the gradient.
    """
    handling = ranges.get(range, ("none", "clip", "sigmoid", "penalty"), "lbfgs")
    evaluate = scaling.scaled(objective, handling)
    renew = _renew(evaluate)
    solver = _one_loop(jaxopt.LBFGS(**_settings(evaluate, history_size, max_linesearch)))

    def restart(solver_state: Any) -> Any:
        fresh = jax.tree.map(jnp.zeros_like, (solver_state.s_history, solver_state.y_history, solver_state.rho_history))
        gamma = RESTART_STEP / jnp.maximum(scaling.rms(solver_state.grad), 1e-30)
        return solver_state._replace(
            s_history=fresh[0], y_history=fresh[1], rho_history=fresh[2], gamma=gamma, stepsize=jnp.ones_like(gamma)
        )

    def step(state: State, *args: Any) -> State:
        free, after = solver.update(state.free, state.solver, state.scale, *args)
        free, after = _take_back(state, free, after)
        after = _select(after.failed_linesearch, restart(after), after)
        if handling.project is not None:
            return renew(State(handling.project(free), state.scale, after), *args)
        return State(free, state.scale, after)

    def start(free: types.Images, *args: Any) -> Any:
        return solver.init_state(free, *args)

    return types.Minimizer(_init(handling, start), step, renew, _read(handling))


def lbfgsb(
    objective: Callable[..., Any], *, history_size: int = 10, range: str = "bounds", max_linesearch: int = 20
) -> types.Minimizer:
    """L-BFGS-B (Byrd et al. 1995) with the bounds 0 and 1; settings as of `lbfgs`.

    jaxopt's form makes less progress per iteration than `lbfgs` with a range penalty.
    """
    handling = ranges.get(range, ("none", "bounds"), "lbfgsb")
    low, high = (0.0, 1.0) if range == "bounds" else (-jnp.inf, jnp.inf)
    evaluate = scaling.scaled(objective, handling)
    solver = _one_loop(jaxopt.LBFGSB(**_settings(evaluate, history_size, max_linesearch)))

    def bounds(free: types.Images) -> tuple[types.Images, types.Images]:
        return jnp.full_like(free, low), jnp.full_like(free, high)

    def start(free: types.Images, *args: Any) -> Any:
        return solver.init_state(free, bounds(free), *args)

    def step(state: State, *args: Any) -> State:
        free, after = solver.update(state.free, state.solver, bounds(state.free), state.scale, *args)
        free, after = _take_back(state, free, after)
        return State(free, state.scale, after)

    return types.Minimizer(_init(handling, start), step, _renew(evaluate), _read(handling))


def _take_back(state: State, free: types.Images, after: Any) -> tuple[types.Images, Any]:
    """The step from `state` to `free` and jaxopt's state `after`, undone and counted as failed if not downhill."""
    counts = {key: getattr(after, key) for key in ("iter_num", "num_grad_eval")}
    kept = state.solver._replace(failed_linesearch=jnp.array(True), **counts)
    return _select(~(after.value < state.solver.value), (state.free, kept), (free, after))


def _settings(evaluate: Callable[..., Any], history_size: int, max_linesearch: int) -> dict[str, Any]:
    """Settings of both solvers.

    jaxopt evaluates `fun` at the start of every line search, only for the auxiliary output of a point whose value and
    gradient it has: a whole forward pass for nothing. So `fun` here returns a blank; where a line search finds no
    better point, `step` keeps the state before it, with the true output. Every search tries the whole step first, as
    SciPy does: growing from the step before, jaxopt's default, was up to a fifth behind after 60 iterations.
    """
    ranges.check_numbers(history_size=history_size, max_linesearch=max_linesearch)

    # L-BFGS-B inserts its bounds after the first name of this signature.
    def blank(free: types.Images, *args: Any) -> Any:
        (value, aux), _ = jax.eval_shape(evaluate, free, *args)
        return jax.tree.map(lambda s: jnp.full(s.shape, jnp.nan, s.dtype), (value, aux))

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
    """Let the line search of `solver` run as one loop with two places where the network is evaluated, not six.

    The network is compiled for every such place. jaxopt writes the first iteration out before the loop, and evaluates
    once more after a search that has failed; here `step` restarts from there.
    """
    search = solver.run_ls.__self__
    search._make_safe_step = search._keep_step

    def run(stepsize: Any, params: Any, *, fun_args: Any, fun_kwargs: Any, **start: Any) -> Any:
        given = dict(start, fun_args=fun_args, fun_kwargs=fun_kwargs)

        def body(carry: Any) -> Any:
            return tuple(search.update(carry[0], carry[1], params, **given))

        first = (stepsize, search.init_state(stepsize, params, **given))
        first = jax.tree.map(lambda x, s: jnp.asarray(x, s.dtype), first, jax.eval_shape(body, first))
        return jax.lax.while_loop(lambda carry: ~(carry[1].done | carry[1].failed), body, first)

    solver.run_ls = run
    return solver


def _init(handling: ranges.Range, start: Callable[..., Any]) -> Callable[..., State]:
    def init(images: types.Images, *args: Any) -> State:
        free = handling.free(images)
        solver = start(free, jnp.ones((), free.dtype), *args)
        # The penalty is zero here, so that scaling value and gradient is as good as evaluating them again.
        scale = scaling.first_scale(solver.grad)
        solver = solver._replace(value=scale * solver.value, grad=scale * solver.grad)
        return State(free, scale, scaling.strong(solver))

    return init


def _renew(evaluate: Callable[..., Any]) -> Callable[..., State]:
    """Value and gradient anew; the curvature is kept, as of both ends of its steps the objective was one."""

    def renew(state: State, *args: Any) -> State:
        (value, aux), grad = evaluate(state.free, state.scale, *args)
        count = state.solver.num_grad_eval + 1
        return state._replace(solver=state.solver._replace(value=value, aux=aux, grad=grad, num_grad_eval=count))

    return renew


def _read(handling: ranges.Range) -> Callable[[State], tuple[types.Images, dict[str, Any]]]:
    def read(state: State) -> tuple[types.Images, dict[str, Any]]:
        images, solver = handling.image(state.free), state.solver
        # jaxopt counts the blank auxiliary output of every line search as an evaluation.
        evaluations = solver.num_grad_eval - solver.iter_num
        return images, scaling.metrics(
            images, solver.aux, solver.grad, state.scale, evaluations, solver.failed_linesearch
        )

    return read


def _select(condition: Any, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
