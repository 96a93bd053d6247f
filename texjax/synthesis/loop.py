"""The optimization loop as an iterator of `Iterate(step, images, metrics)`.

`save_every` steps run in one call to the device, first evaluation and scaling included, so that the host is not in the
inner loop and one compilation serves the whole run, whatever its number of steps.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from texjax import errors, types

BATCH_MODES = ("vmap", "map")


class Iterate(NamedTuple):
    """Where a run stands after `step` steps.

    images: [count, n, h, w, 3], not clipped. metrics: of the steps since the last iterate (of the start, for step 0),
    each [steps, count]; "terms" holds one such array for each term. seconds: that those steps took.
    """

    step: int
    images: np.ndarray
    metrics: dict[str, Any]
    seconds: float


def program(minimizer: types.Minimizer, save_every: int, batch_mode: str = "map") -> Callable[..., Any]:
    """The jitted (images, state, fresh, steps, *args) -> (state, images, metrics): `steps` <= `save_every` steps.

    images: [count, n, h, w, 3], `count` independent problems, advanced together ("vmap") or in turn ("map").
    fresh: whether to start from `images`; `state` is ignored then.

    Raises TexjaxError for an unknown batch mode.
    """
    if batch_mode not in BATCH_MODES:
        raise errors.unknown("batch mode", batch_mode, BATCH_MODES)

    def one(images: types.Images, state: Any, fresh: Any, steps: Any, *args: Any) -> Any:
        state = lax.cond(fresh, lambda: minimizer.init(images, *args), lambda: state)
        first = minimizer.read(state)[1]
        log = jax.tree.map(lambda x: jnp.zeros((save_every, *x.shape), x.dtype).at[0].set(x), first)

        def body(i: Any, carry: Any) -> Any:
            state, log = carry
            state = minimizer.step(state, *args)
            return state, jax.tree.map(lambda rows, x: rows.at[i].set(x), log, minimizer.read(state)[1])

        state, log = lax.fori_loop(0, steps, body, (state, log))
        return state, minimizer.read(state)[0], log

    def many(images: Any, state: Any, fresh: Any, steps: Any, *args: Any) -> Any:
        if batch_mode == "vmap":
            return jax.vmap(lambda x, s: one(x, s, fresh, steps, *args))(images, state)
        return lax.map(lambda xs: one(*xs, fresh, steps, *args), (images, state))

    return compiled(many)


def compiled(function: Callable[..., Any], *static: str) -> Callable[..., Any]:
    """Jit `function`, on CPU with less of LLVM's optimization; `static` names arguments that are no arrays.

    That is a fifth less to wait for and no slower to run: the time is spent in a library's convolutions.
    """
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None
    return jax.jit(function, static_argnames=static, compiler_options=options)


def iterate(
    advance: Callable[..., Any],
    minimizer: types.Minimizer,
    images: jax.Array,
    args: tuple[Any, ...],
    *,
    max_iter: int,
    save_every: int,
    tol: float = 0.0,
    patience: int = 5,
) -> Iterator[Iterate]:
    """Yield the start and then the iterate after every `save_every` steps.

    Stops after `max_iter` steps; when every image's loss changes by at most `tol` (relative) in a step; or when for
    every image `patience` line searches in a row have failed.

    images: [count, n, h, w, 3]. args: of the objective. advance: from `program`, of the same minimizer.
    """
    shapes = jax.eval_shape(jax.vmap(lambda x: minimizer.init(x, *args)), images)
    state = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    step, fresh, losses, fails = 0, True, [], []
    while True:
        steps = 0 if fresh else min(save_every, max_iter - step)
        begin = time.perf_counter()
        state, images, log = _wait(advance(images, state, fresh, steps, *args))
        seconds = time.perf_counter() - begin
        step += steps
        metrics = _rows(log, max(steps, 1))
        losses, fails = [*losses, *metrics["loss"]][-2:], [*fails, *metrics["failed"]][-patience:]
        yield Iterate(step, np.asarray(images), metrics, seconds)
        fresh = False
        if step >= max_iter or _stalled(fails, patience) or _converged(losses, fails, tol):
            return


def _rows(log: Any, steps: int) -> Any:
    """[count, save_every] on the device as [steps, count] on the host."""
    return jax.tree.map(lambda x: np.asarray(x)[:, :steps].T, log)


def _wait(outputs: Any) -> Any:
    """Wait for the device in small sleeps, so that an interrupt gets through at once."""
    leaves = jax.tree.leaves(outputs)
    while not all(leaf.is_ready() for leaf in leaves):
        time.sleep(0.002)
    return outputs


def _stalled(fails: list[np.ndarray], patience: int) -> bool:
    return len(fails) >= patience and bool(np.all(fails[-patience:]))


def _converged(losses: list[np.ndarray], fails: list[np.ndarray], tol: float) -> bool:
    if tol <= 0 or len(losses) < 2:
        return False
    before, after = losses[-2], losses[-1]
    return bool(np.all((np.abs(before - after) <= tol * np.abs(before)) & ~fails[-1]))
