"""Many runs, safe to interrupt: each in the directory of its id, and those that have ended are not run again.

    SWEEP_DIR/sweep.json     the runs as declared, in order
    SWEEP_DIR/runs/ID/       a run directory

The records decide: engines only call `work`, here or far away, and what a run came to is read from its directory.
"""

import collections
import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import filelock
from ml_collections import ConfigDict

from texjax import config as configs
from texjax import errors
from texjax.runs import archive, programs, records, run
from texjax.sweeps import entries
from texjax.sweeps.engines import contract
from texjax.synthesis import build

DIED = "its process ended without a word; perhaps it was killed, or memory was too little."


class Task(NamedTuple):
    """An entry as it travels to where it is run."""

    directory: Path
    config: dict[str, Any]
    paths: list[Path]
    others: dict[str, list[Path]]
    command: str


class Sweep(NamedTuple):
    """A sweep directory, the config that declares its runs, and these."""

    directory: Path
    spec: str
    declared: Sequence[entries.Entry]

    def place(self, entry: entries.Entry) -> Path:
        """The run directory of an entry."""
        return self.directory / "runs" / entry.id


def look(sweep: Sweep, before: Mapping[str, archive.Run] = MappingProxyType({})) -> dict[str, archive.Run]:
    """What there is of each run, by id; a run whose records are damaged is "pending", as it is to be run again.

    before: of an earlier look; those that had ended are not read again.
    """
    ended = {name: run for name, run in before.items() if run.status in archive.ENDED}
    return {entry.id: ended.get(entry.id) or _look(sweep.place(entry), entry) for entry in sweep.declared}


def _look(place: Path, entry: entries.Entry) -> archive.Run:
    try:
        return archive.read(place, entry.swept, entry.command)
    except archive.Damaged as error:
        return archive.Run(place, {}, {"status": "pending", "damaged": str(error)}, entry.swept)


def execute(
    sweep: Sweep,
    engine: contract.Engine,
    resources: contract.Resources,
    retries: int = 1,
    watch: Callable[[dict[str, archive.Run]], None] = lambda runs: None,
) -> dict[str, archive.Run]:
    """Run what has not ended yet, and return how all runs ended, by id.

    A run that fails is recorded with its error. One whose process died, or that failed for something other than what
    the user gave, is tried again up to `retries` times. watch: called with all runs now and then.

    Raises TexjaxError where the directory is another version's, or in use, or the engine cannot be used.
    """
    with _locked(sweep.directory):
        _declare(sweep)
        found = look(sweep)
        left = [entry for entry in sweep.declared if found[entry.id].status not in archive.ENDED]
        for entry in left:
            shutil.rmtree(sweep.place(entry), ignore_errors=True)
        tries: collections.Counter[str] = collections.Counter()
        while left:
            tasks = [
                Task(sweep.place(e).absolute(), e.config.to_dict(), _absolute(e.paths), _others(e), e.command)
                for e in left
            ]
            # What is raised here closes the engine: its processes have ended before the lock is given up.
            with contextlib.closing(engine(work, batches(tasks, resources.jobs), resources)) as moments:
                for _ in moments:
                    found = look(sweep, found)
                    watch(found)
            left = _again(sweep, left, tries, retries)
        found = look(sweep)
        watch(found)
        return found


def work(batch: Sequence[Task]) -> None:
    """Run the tasks in turn, but for those that have ended; what becomes of them is in their directories.

    Raises KeyboardInterrupt where a run was interrupted: it has written what it had, and the others have not begun.
    """
    programs.keep()
    for task in batch:
        with contextlib.suppress(archive.Damaged):
            if archive.read(task.directory, {}).status in archive.ENDED:
                continue
        shutil.rmtree(task.directory, ignore_errors=True)
        _work(task)


def _work(task: Task) -> None:
    records.claim(task.directory, task.config, task.command)
    config = ConfigDict(task.config).lock()
    try:
        with programs.device_errors():
            result = run.synthesize(
                config, task.paths, lambda made: task.directory, others=task.others, command=task.command
            )
    except KeyboardInterrupt:  # not within its steps, so that it has no result
        records.interrupt(task.directory)
        raise
    except Exception as error:  # whatever it is, it must not stop the other runs
        ours = isinstance(error, errors.TexjaxError)
        text = str(error) if ours else f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        records.fail(task.directory, text, again=not (ours and error.exit_code == 2))
        return
    if result.status == "interrupted":
        raise KeyboardInterrupt


def batches(tasks: Sequence[Task], jobs: int | None) -> list[list[Task]]:
    """Tasks whose programs are the same together, so that one process compiles them once; enough for all `jobs`.

    Without a number of jobs each task is a batch, those of one program beside each other.
    """
    groups: dict[Any, list[Task]] = {}
    for task in tasks:
        groups.setdefault(configs.freeze(ConfigDict(task.config), without=build.VALUES), []).append(task)
    parts = dict.fromkeys(groups, 1)
    while sum(parts.values()) < min(jobs or len(tasks), len(tasks)):
        parts[max(groups, key=lambda key: len(groups[key]) / parts[key])] += 1
    cut = [(group, parts[key]) for key, group in groups.items()]
    return [group[len(group) * i // n : len(group) * (i + 1) // n] for group, n in cut for i in range(n)]


def _declare(sweep: Sweep) -> None:
    """Write sweep.json, where it is none of another version."""
    if (sweep.directory / "sweep.json").exists():
        archive.sweep(sweep.directory)
    runs = [{"id": e.id, "swept": e.swept, "command": e.command} for e in sweep.declared]
    records.write_json(sweep.directory / "sweep.json", {"version": archive.VERSION, "config": sweep.spec, "runs": runs})


def _again(
    sweep: Sweep, tried: Sequence[entries.Entry], tries: collections.Counter[str], retries: int
) -> list[entries.Entry]:
    """Which of the runs just tried are to be run once more; records of those that died and are not."""
    found = look(sweep)
    if all(found[entry.id].status == "pending" for entry in tried):
        tries["none begun"] += 1
        if tries["none begun"] > retries:
            raise errors.EnvironmentFault(f"no run of {sweep.directory} was begun; look at the engine's own logs.")
    again = []
    for entry in tried:
        status, record = found[entry.id].status, found[entry.id].record
        if status == "pending":  # its batch's process died before
            again.append(entry)
        elif status not in archive.ENDED:
            tries[entry.id] += 1
            died = "error" not in record
            if (died or record.get("again")) and tries[entry.id] <= retries:
                shutil.rmtree(sweep.place(entry), ignore_errors=True)
                again.append(entry)
            elif died:
                records.fail(sweep.place(entry), DIED, again=True)
    return again


def _absolute(paths: Sequence[Path]) -> list[Path]:
    return [path.absolute() for path in paths]


def _others(entry: entries.Entry) -> dict[str, list[Path]]:
    return {of: _absolute(paths) for of, paths in entry.others.items()}


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory, made where it is not there, for oneself."""
    lock = filelock.FileLock(directory / ".lock", timeout=0)
    try:
        (directory / "runs").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout:
        raise errors.TexjaxError(
            f"another sweep is running in {directory}; wait for it, or give another --sweep-dir."
        ) from None
    except OSError as error:
        raise errors.EnvironmentFault(
            f"cannot write in {directory} ({error.strerror}); choose another --sweep-dir."
        ) from error
    try:
        yield
    finally:
        lock.release()
