"""Checkpoints of a run, by Orbax: where the optimization stands, so that a later process goes on from there.

A checkpoint is an iterate: its images, the state of the program (the optimizer's history and the losses' choices), and
the last steps, on which it depends whether a stage ends. Random numbers are functions of the seed and the step, and
targets are functions of the pictures, so that nothing else is needed to compute the same bytes.

Orbax writes each checkpoint into a temporary folder that it renames when it is complete, and keeps the last two. A
digest of all arrays tells a sound checkpoint from a damaged one. Of a synthesis that has ended the images alone are
kept, for more steps that somebody may want.
"""

import contextlib
import functools
import hashlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from texjax import errors
from texjax.runs import archive
from texjax.synthesis import loop, optimize

KEPT = 2
# A checkpoint by time waits at least this many times as long as the last one took to be written.
SHARE = 50
# What is saved beside the arrays, with its types.
POSITION = {"stage": int, "step": int, "losses": list, "fails": list, "metrics": dict, "sha256": str}


class Damaged(errors.TexjaxError):
    """A checkpoint cannot be used."""


class Checkpoints:
    """The checkpoints of a run directory; close it after use."""

    def __init__(self, directory: Path, seconds: float, steps: int) -> None:
        """Open the folder; nothing is written yet.

        Args:
            directory: The run directory.
            seconds: Time between two checkpoints; 0 for none by time.
            steps: Steps between two checkpoints; 0 for none by steps.
        """
        self._folder, self._seconds, self._steps = directory / archive.CHECKPOINT_FOLDER, seconds, steps
        self._saved_at, self._saved_step, self._wait = time.monotonic(), 0, 0.0  # the start needs no checkpoint
        self._manager: Any = None
        self._hooks = contextlib.ExitStack()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._manager is not None:
            self._manager.close()
        self._hooks.close()

    def go_on(self, step: int) -> None:
        """Remove the checkpoints after that step, which are damaged; with -1, all that there are."""
        if self._folder.is_dir():
            self._remove(other for other in self._open().all_steps() if other > step)
        self._saved_step = max(step, 0)

    def offer(self, now: loop.Iterate) -> None:
        """Save the iterate if a checkpoint is due."""
        waited = time.monotonic() - self._saved_at
        by_time = bool(self._seconds) and waited >= max(self._seconds, self._wait)
        by_steps = bool(self._steps) and now.step - self._saved_step >= self._steps
        if by_time or by_steps:
            self.save(now)

    def save(self, now: loop.Iterate) -> None:
        """Save the iterate, unless it was the last to be saved; warn, and let the run go on, where that fails."""
        if not (self._seconds or self._steps) or now.step == self._saved_step:
            return
        begin = time.monotonic()
        with self._warned():
            self._write(now)
            self._saved_step = now.step
        self._saved_at = time.monotonic()
        self._wait = SHARE * (self._saved_at - begin)

    def finish(self, last: loop.Iterate, *, whole: bool = False) -> None:
        """Keep the images of the last iterate of a run that has ended, and remove its other checkpoints.

        whole: Keep its state too, without which a training cannot go on.
        """
        if not (self._seconds or self._steps):
            return
        with self._warned():
            if self._folder.is_dir():
                self._remove([last.step])
            self._write(last if whole else last._replace(state=None, recent=loop.Recent()))
            self._remove(step for step in self._open().all_steps() if step != last.step)

    def saved(self) -> Iterator[optimize.Saved]:
        """Yield the iterates that were saved, the newest first; warn of those whose records cannot be read.

        Their `load` raises `Damaged` where the arrays are not what was saved, or not what the run needs.
        """
        if not self._folder.is_dir():
            return
        for step in sorted(self._open().all_steps(), reverse=True):
            try:
                position = self._read_position(step)
            except Damaged as error:
                warn_damaged(error)
                continue
            yield optimize.Saved(position["stage"], functools.partial(self._load, step, position))

    @contextlib.contextmanager
    def _warned(self) -> Iterator[None]:
        """Turn whatever goes wrong while a checkpoint is written into a warning; tensorstore has errors of its own."""
        try:
            yield
        except Exception as error:
            warnings.warn(
                f"no checkpoint could be written into {self._folder} ({_short(error)}); check its folder, permissions "
                "and disk space.",
                errors.TexjaxWarning,
                stacklevel=2,
            )

    def _remove(self, steps: Iterable[int]) -> None:
        for step in set(steps) & set(self._open().all_steps()):
            self._open().delete(step)

    def _open(self) -> Any:
        """Orbax's manager. It is imported here, as few runs are long enough to need it."""
        if self._manager is None:
            import orbax.checkpoint as ocp

            self._hooks.enter_context(_quiet())
            options = ocp.CheckpointManagerOptions(
                max_to_keep=KEPT, enable_async_checkpointing=False, cleanup_tmp_directories=True
            )
            handlers = {"arrays": ocp.StandardCheckpointHandler(), "position": ocp.JsonCheckpointHandler()}
            self._manager = ocp.CheckpointManager(self._folder.absolute(), options=options, item_handlers=handlers)
        return self._manager

    def _write(self, now: loop.Iterate) -> None:
        import orbax.checkpoint as ocp

        arrays = _arrays(now.images, now.state)
        position = {
            "stage": now.stage,
            "step": now.step,
            "losses": [_plain(x) for x in now.recent.losses],
            "fails": [_plain(x) for x in now.recent.fails],
            "metrics": jax.tree.map(lambda x: _plain(x[-1:]), now.metrics),
        }
        position["sha256"] = _digest(arrays, position)
        self._open().save(
            now.step,
            args=ocp.args.Composite(arrays=ocp.args.StandardSave(arrays), position=ocp.args.JsonSave(position)),
        )

    def _read_position(self, step: int) -> dict[str, Any]:
        import orbax.checkpoint as ocp

        with _damages(self._folder / str(step)):
            position = self._open().restore(step, args=ocp.args.Composite(position=ocp.args.JsonRestore()))["position"]
            if any(type(position[key]) is not kind for key, kind in POSITION.items()) or position["step"] != step:
                raise ValueError("its position is of another form")
            return position

    def _load(self, step: int, position: dict[str, Any], images: Any, state: Any) -> loop.Iterate:
        import orbax.checkpoint as ocp

        with _damages(self._folder / str(step)):
            present = self._open().item_metadata(step)["arrays"].tree
            whole = bool(present["state"])
            wanted = _arrays(images, state if whole else None)
            if _shapes(present) != _shapes(wanted):
                raise ValueError("its arrays are not those of this run")
            on_host = jax.tree.map(lambda x: np.empty(x.shape, x.dtype), wanted)
            restored = self._open().restore(step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore(on_host)))
            arrays = restored["arrays"]
            if _digest(arrays, position) != position["sha256"]:
                raise ValueError("its content has changed")
            placed = jax.tree.map(_placed, arrays["state"], wanted["state"])
            leaves = [placed[str(i)] for i in range(len(placed))]
            recent = loop.Recent(
                [np.array(x, images.dtype) for x in position["losses"]], [np.array(x, bool) for x in position["fails"]]
            )
            metrics = jax.tree.map(np.array, position["metrics"], is_leaf=lambda x: isinstance(x, list))
            return loop.Iterate(
                step,
                np.asarray(arrays["images"]),
                metrics,
                0.0,
                jax.tree.unflatten(jax.tree.structure(state), leaves) if whole else None,
                recent,
                stage=position["stage"],
            )


def warn_damaged(error: Damaged) -> None:
    """Say that a checkpoint is passed over."""
    warnings.warn(f"{error}; an earlier one is looked for.", errors.TexjaxWarning, stacklevel=2)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Print nothing of what Orbax tells of each file and of errors, which are raised as well.

    Where several file operations fail, one error is raised, and asyncio logs the others. Where one ends after Orbax has
    given up and closed its event loop, Python prints that too.
    """
    loggers, before = [logging.getLogger(name) for name in ("absl", "asyncio")], sys.unraisablehook
    levels = [logger.level for logger in loggers]

    def hook(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            before(unraisable)

    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    sys.unraisablehook = hook
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        sys.unraisablehook = before


@contextlib.contextmanager
def _damages(path: Path) -> Iterator[None]:
    """Raise whatever Orbax raises for files that are damaged as `Damaged`."""
    try:
        yield
    except Exception as error:
        raise Damaged(f"the checkpoint {path} cannot be used ({_short(error)})") from error


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _arrays(images: Any, state: Any) -> dict[str, Any]:
    """What is saved as arrays; the state by the number of its leaves, so that no class has to be found again."""
    return {"images": images, "state": {str(i): leaf for i, leaf in enumerate(jax.tree.leaves(state))}}


def _placed(array: np.ndarray, like: Any) -> jax.Array:
    """Put an array where `like` lies: where that is one device, uncommitted, or the program would be compiled anew."""
    return jax.device_put(array, like.sharding) if len(like.sharding.device_set) > 1 else jnp.asarray(array)


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda x: (tuple(x.shape), np.dtype(x.dtype).name), tree)


def _digest(arrays: dict[str, Any], position: dict[str, Any]) -> str:
    """The SHA-256 of the arrays' bytes and of the position, without the digest that stands in it."""
    sha = hashlib.sha256()
    for leaf in jax.tree.leaves(arrays):
        sha.update(np.ascontiguousarray(leaf).view(np.uint8).data)
    sha.update(json.dumps({k: v for k, v in position.items() if k != "sha256"}, sort_keys=True).encode())
    return sha.hexdigest()


def _plain(values: np.ndarray) -> Any:
    """An array as a list of Python's numbers, which JSON holds exactly."""
    return np.asarray(values).tolist()
