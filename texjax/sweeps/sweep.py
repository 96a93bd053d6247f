"""Make many runs, safe to interrupt: each has the directory of its id, and a run that has ended is not repeated.

`runs.archive` describes a sweep directory. The records in it are the only state: engines just call `work`, in this
process or far away, and the result of a run is read from its directory.
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
from texjax import errors, interrupts
from texjax.runs import archive, programs, records, resume, run
from texjax.sweeps import entries
from texjax.sweeps.engines import contract
from texjax.synthesis import build

DIED = "the process of this run ended without an error; perhaps it was killed, or memory was too little."
LOCK_FILE = ".lock"


class Task(NamedTuple):
    """An entry in the form that an engine sends to another process or machine."""

    directory: Path
    config: dict[str, Any]
    pictures: dict[str, list[Path]]
    command: str


class Sweep(NamedTuple):
    """A sweep directory, the name of the config that declares its runs, and the declared runs."""

    directory: Path
    spec: str
    declared: Sequence[entries.Entry]

    def run_directory(self, entry: entries.Entry) -> Path:
        """Return the directory of a run."""
        return self.directory / archive.RUNS_FOLDER / entry.id


def read_runs(sweep: Sweep, earlier: Mapping[str, archive.Run] = MappingProxyType({})) -> dict[str, archive.Run]:
    """Return the state of each declared run, by id.

    A run whose records are damaged is "pending", as it is to be repeated; its record then has the key "damaged".

    Args:
        sweep: The sweep.
        earlier: The result of an earlier call; runs that had ended then are not read again.
    """
    ended = {id_: run for id_, run in earlier.items() if run.status in archive.ENDED}
    return {entry.id: ended.get(entry.id) or _read(sweep.run_directory(entry), entry) for entry in sweep.declared}


def _read(directory: Path, entry: entries.Entry) -> archive.Run:
    try:
        return archive.read_whole(directory, entry.swept, entry.command)
    except archive.Damaged as error:
        return archive.Run(directory, {}, {"status": "pending", "damaged": str(error)}, entry.swept)


def execute(
    sweep: Sweep,
    engine: contract.Engine,
    resources: contract.Resources,
    retries: int = 1,
    watch: Callable[[dict[str, archive.Run]], None] = lambda runs: None,
) -> dict[str, archive.Run]:
    """Make the runs that have not ended yet, and return the state of all runs, by id.

    A failed run has its error in its record, and does not stop the others.

    Args:
        sweep: The sweep.
        engine: Where the runs are made; see `engines`.
        resources: What the engine may use.
        retries: How often a run is repeated at most if its process died, or if it failed for a reason that the user did
            not cause.
        watch: Called from time to time with the state of all runs.

    Raises:
        TexjaxError: If the directory was written by another version or is in use, or the engine cannot be used.
        EnvironmentFault: If the directory cannot be written, or the engine begins no run.
    """
    with _locked(sweep.directory):
        _write_declaration(sweep)
        runs = read_runs(sweep)
        remaining = [entry for entry in sweep.declared if runs[entry.id].status not in archive.ENDED]
        for entry in remaining:
            _clear(sweep.run_directory(entry))
        tries: collections.Counter[str] = collections.Counter()
        while remaining:
            tasks = [_task(sweep, entry) for entry in remaining]
            # An exception here closes the engine, so that its processes have ended before the lock is released.
            with contextlib.closing(engine(work, batches(tasks, resources.jobs), resources)) as ticks:
                for _ in ticks:
                    runs = read_runs(sweep, runs)
                    watch(runs)
            remaining = _to_repeat(sweep, remaining, tries, retries)
        runs = read_runs(sweep)
        watch(runs)
        return runs


def _task(sweep: Sweep, entry: entries.Entry) -> Task:
    """Return the entry as a task, whose paths hold in any working directory."""
    pictures = {group: [path.absolute() for path in paths] for group, paths in entry.pictures.items()}
    return Task(sweep.run_directory(entry).absolute(), entry.config.to_dict(), pictures, entry.command)


def work(batch: Sequence[Task]) -> None:
    """Carry out the tasks in turn, except those whose runs have ended; their results are in their directories.

    Raises:
        KeyboardInterrupt: If a run was interrupted. It has written what it had, and the tasks after it have not begun.
    """
    programs.keep()
    for task in batch:
        interrupts.check()
        with contextlib.suppress(archive.Damaged):
            if archive.read_whole(task.directory, {}).status in archive.ENDED:
                continue
        _carry_out(task)


def _clear(directory: Path) -> None:
    """Make a run "pending": one that was cut short keeps its checkpoints, and whatever else there is is removed."""
    with contextlib.suppress(errors.TexjaxError, OSError):
        earlier = archive.read(directory, {})
        died = "error" not in earlier.record or earlier.record.get("again")
        if earlier.status not in archive.ENDED and died and (directory / archive.CHECKPOINT_FOLDER).is_dir():
            records.wait(directory)
            return
    shutil.rmtree(directory, ignore_errors=True)


def _begun(task: Task) -> resume.Begun | None:
    """The run of the task, where an earlier process left checkpoints of it."""
    if (task.directory / archive.CHECKPOINT_FOLDER).is_dir():
        with contextlib.suppress(errors.TexjaxError):
            return resume.begun(task.directory)
    return None


def _carry_out(task: Task) -> None:
    begun = _begun(task)
    if begun is None:
        shutil.rmtree(task.directory, ignore_errors=True)
        records.claim(task.directory, task.config, task.command)
    config = ConfigDict(task.config).lock()
    try:
        with programs.device_errors():
            result = run.synthesize(
                config, task.pictures, lambda parts: task.directory, command=task.command, begun=begun
            )
    except KeyboardInterrupt:  # it came outside the steps of the run, so that the run has no result
        records.interrupt(task.directory)
        raise
    except Exception as error:  # whatever the error is, it must not stop the other runs
        ours = isinstance(error, errors.TexjaxError)
        text = str(error) if ours else f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        user_error = ours and not isinstance(error, errors.EnvironmentFault)
        records.fail(task.directory, text, again=not user_error)
        return
    if result.status == "interrupted":
        raise KeyboardInterrupt


def batches(tasks: Sequence[Task], jobs: int | None) -> list[list[Task]]:
    """Group tasks that share a compiled program, so that one process compiles it once, and cut the groups for `jobs`.

    Args:
        tasks: The tasks.
        jobs: How many batches run at a time. The longest groups are cut until there are as many batches as jobs. With
            None each task is a batch, and tasks of one program follow each other.
    """
    groups: dict[Any, list[Task]] = {}
    for task in tasks:
        program = configs.freeze(ConfigDict(task.config), without=build.VALUES)
        groups.setdefault(program, []).append(task)
    part_counts = dict.fromkeys(groups, 1)
    while sum(part_counts.values()) < min(jobs or len(tasks), len(tasks)):
        longest = max(groups, key=lambda program: len(groups[program]) / part_counts[program])
        part_counts[longest] += 1
    counted = [(group, part_counts[program]) for program, group in groups.items()]
    return [group[len(group) * i // n : len(group) * (i + 1) // n] for group, n in counted for i in range(n)]


def _write_declaration(sweep: Sweep) -> None:
    """Write sweep.json. Raises TexjaxError if another version of texjax wrote the present one."""
    path = sweep.directory / archive.SWEEP_FILE
    if path.exists():
        archive.sweep(sweep.directory)
    runs = [{"id": entry.id, "swept": entry.swept, "command": entry.command} for entry in sweep.declared]
    records.write_json(path, {"version": archive.VERSION, "config": sweep.spec, "runs": runs})


def _to_repeat(
    sweep: Sweep, tried: Sequence[entries.Entry], tries: collections.Counter[str], retries: int
) -> list[entries.Entry]:
    """Return the runs among those just tried that are to be tried once more, and count the tries.

    A run whose process died, and that is not to be repeated, gets an error in its record.
    """
    runs = read_runs(sweep)
    if all(runs[entry.id].status == "pending" for entry in tried):
        tries["no run begun"] += 1
        if tries["no run begun"] > retries:
            raise errors.EnvironmentFault(f"no run of {sweep.directory} was begun; look at the engine's own logs.")
    repeated = []
    for entry in tried:
        status, record = runs[entry.id].status, runs[entry.id].record
        if status == "pending":  # the process of its batch died before this run began
            repeated.append(entry)
        elif status not in archive.ENDED:
            tries[entry.id] += 1
            died = "error" not in record
            if (died or record.get("again")) and tries[entry.id] <= retries:
                _clear(sweep.run_directory(entry))
                repeated.append(entry)
            elif died:
                records.fail(sweep.run_directory(entry), DIED, again=True)
    return repeated


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Make the sweep directory if it does not exist, and keep other sweeps out of it."""
    lock = filelock.FileLock(directory / LOCK_FILE, timeout=0)
    try:
        (directory / archive.RUNS_FOLDER).mkdir(parents=True, exist_ok=True)
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
