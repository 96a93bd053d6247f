"""The optimization loop as an iterator of `Iterate`, which returns to the last good one where a loss is no number."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from texjax.synthesis import devices, steps

ROLLBACKS = 3  # returns to the last good iterate in one stage, before its numbers are taken as they are


class Recent(NamedTuple):
    """The last steps of a stage, on which it depends whether it ends: losses of two, and failed searches of `patience`.

    Each entry is an array [count].
    """

    losses: Sequence[np.ndarray] = ()
    fails: Sequence[np.ndarray] = ()


class Iterate(NamedTuple):
    """Where a run stands after `step` steps.

    images: [count, n, h, w, c], not clipped.
    metrics: of the steps since the last iterate (of the start, for step 0), each [steps, count]; "terms" holds one such
        array for each term.
    seconds: duration of those steps.
    state: everything the optimizer needs to go on, on the device; valid until the next iterate is asked for. None where
        it is to begin with an empty history.
    recent: of the stage.
    rollbacks: how often in this stage the loss or its gradient was no number, so that steps were taken again.
    stage: index of the stage, see `schedule.stages`.
    """

    step: int
    images: np.ndarray
    metrics: dict[str, Any]
    seconds: float
    state: Any = None
    recent: Recent = Recent()
    rollbacks: int = 0
    stage: int = 0

    @property
    def loss(self) -> float:
        """The loss after the last step, the mean over the outputs."""
        return float(self.metrics["loss"][-1].mean())

    @property
    def terms(self) -> dict[str, float]:
        """Each term's share of the loss after the last step, the mean over the outputs."""
        return {name: float(values[-1].mean()) for name, values in self.metrics["terms"].items()}


def iterate(
    program: steps.Program,
    images: jax.Array,
    keys: jax.Array,
    args: tuple[Any, ...],
    *,
    max_iter: int,
    save_every: int,
    tol: float = 0.0,
    patience: int = 5,
    state: Any = None,
    after: Iterate | None = None,
) -> Iterator[Iterate]:
    """Yield the start and then the iterate after every `save_every` steps.

    The iterator stops after `max_iter` steps; when every image's loss changes by at most `tol` (relative) in a step; or
    when for every image `patience` line searches in a row have failed.

    Where a loss or gradient is no finite number, the steps since the last iterate are taken again with an empty
    history; after `ROLLBACKS` such returns the iterate is yielded as it is.

    Args:
        program: from `steps.program`.
        images: [count, n, h, w, c].
        keys: [count], of the refreshes.
        args: of the objective after the images: network weights and targets.
        max_iter: number of steps.
        save_every: steps between iterates, as given to `steps.program`.
        tol: relative change of the loss at which to stop; 0 never stops.
        patience: failed line searches in a row after which to stop.
        state: of `program.empty`, where the caller has it already.
        after: an iterate of the same stage to go on from, instead of the start; it is not yielded again.
    """
    state = program.empty(images, keys, *args) if state is None else state
    images, keys, args = program.place((images, keys, args))
    step, recent, fresh, good, rollbacks = 0, Recent(), True, None, 0
    if after is not None:
        step, recent, fresh, good = after.step, after.recent, after.state is None, after.images
        state = state if fresh else after.state
    begin, compiled = time.perf_counter(), False
    while good is None or not _ended(step, recent, max_iter, tol, patience):
        if not compiled:
            program.compile(images, state, keys, *args)
            compiled = True
        count = 0 if fresh else min(save_every, max_iter - step)
        state, images, log = _wait(program.run(images, state, keys, fresh, step, count, *args))
        metrics = _rows(log, max(count, 1))
        if good is not None and rollbacks < ROLLBACKS and not finite(metrics):
            rollbacks, fresh, images = rollbacks + 1, True, program.place(steps.place(good))
            continue
        restarted, fresh = fresh and good is not None, False
        if restarted:
            continue
        step += count
        losses, fails = [*recent.losses, *metrics["loss"]], [*recent.fails, *metrics["failed"]]
        recent = Recent(losses[-2:], fails[-patience:])
        good, seconds = devices.gathered(images), time.perf_counter() - begin
        yield Iterate(step, good, metrics, seconds, state, recent, rollbacks)
        begin = time.perf_counter()


def finite(metrics: dict[str, Any]) -> bool:
    """Whether the losses and gradients of all steps are finite numbers."""
    return bool(np.isfinite(metrics["loss"]).all() and np.isfinite(metrics["gradient"]).all())


def _rows(log: Any, steps: int) -> Any:
    """[count, save_every] on the device as [steps, count] on the host."""
    return jax.tree.map(lambda x: devices.gathered(x)[:, :steps].T, log)


def _wait(outputs: Any) -> Any:
    """Wait for the device in short sleeps, so that an interrupt gets through at once."""
    leaves = jax.tree.leaves(outputs)
    while not all(leaf.is_ready() for leaf in leaves):
        time.sleep(0.002)
    return outputs


def _ended(step: int, recent: Recent, max_iter: int, tol: float, patience: int) -> bool:
    """Whether a stage is over after that step."""
    return step >= max_iter or _stalled(recent, patience) or _converged(recent, tol)


def _stalled(recent: Recent, patience: int) -> bool:
    return len(recent.fails) >= patience and bool(np.all(recent.fails))


def _converged(recent: Recent, tol: float) -> bool:
    if tol <= 0 or len(recent.losses) < 2:
        return False
    before, after = recent.losses
    return bool(np.all((np.abs(before - after) <= tol * np.abs(before)) & ~recent.fails[-1]))
