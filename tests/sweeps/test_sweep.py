"""Sweeps: which runs are made or repeated, and their records, with stand-ins for the engine and for the run."""

import collections
import contextlib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import config as configs
from texjax import errors
from texjax.runs import archive, records, run
from texjax.sweeps import entries, sweep
from texjax.sweeps.engines import contract, local


class Died(BaseException):
    """Stands for the end of a process: nothing in texjax may catch it."""


class StandIn:
    """In place of `run.synthesize`: raises the next error that is listed for a seed, else finishes; lists its calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.errors: dict[int, list[BaseException]] = collections.defaultdict(list)

    def __call__(self, config: Any, pictures: Any, directory: Callable[[Any], Path], **settings: Any) -> run.Result:
        assert pictures == {"sources": [Path("a.png").absolute()]}
        self.calls.append(config.seed)
        if self.errors[config.seed]:
            raise self.errors[config.seed].pop(0)
        finish(directory(None))
        return run.Result("finished", 1, 0.0, [])


def finish(directory: Path, **record: Any) -> None:
    records.write_json(directory / "run.json", {"status": "finished", **record})
    (directory / "image.png").write_bytes(b"a picture")


def engine(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run each batch as in a process of its own, which may die."""
    for batch in batches:
        with contextlib.suppress(Died):
            work(batch)
        yield


def idle(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """An engine whose processes all die before they begin a run."""
    idle_calls.append(len(batches))
    yield


idle_calls: list[int] = []


def entry(seed: int, **changes: Any) -> entries.Entry:
    config = configs.overridden(configs.load("random:tiny"), {"seed": seed, **changes})
    return entries.Entry(f"id{seed}", config, {"sources": [Path("a.png")]}, {"seed": seed}, f"command {seed}")


def four(folder: Path) -> sweep.Sweep:
    """Return a sweep over seeds 0 to 3, all of which fit into one batch."""
    return sweep.Sweep(folder / "sweep", "random:tiny", [entry(seed) for seed in range(4)])


def execute(a_sweep: sweep.Sweep, retries: int = 1, by: contract.Engine = engine) -> dict[str, archive.Run]:
    return sweep.execute(a_sweep, by, contract.Resources(1, a_sweep.directory), retries)


def statuses(runs: dict[str, archive.Run]) -> list[str]:
    return [run.status for run in runs.values()]


@pytest.fixture
def stand_in(monkeypatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr(run, "synthesize", stand_in)
    return stand_in


def test_the_directory_of_a_sweep(stand_in, tmp_path):
    four_runs = four(tmp_path)
    runs = execute(four_runs)
    assert list(runs) == ["id0", "id1", "id2", "id3"] and statuses(runs) == ["finished"] * 4
    assert json.loads((four_runs.directory / "sweep.json").read_text()) == {
        "version": 1,
        "config": "random:tiny",
        "runs": [{"id": f"id{n}", "swept": {"seed": n}, "command": f"command {n}"} for n in range(4)],
    }
    assert sorted(path.name for path in (four_runs.directory / "runs").iterdir()) == ["id0", "id1", "id2", "id3"]
    assert (stand_in.calls, runs["id2"].swept) == ([0, 1, 2, 3], {"seed": 2})


def test_what_has_ended_is_not_run_again(stand_in, tmp_path):
    four_runs = four(tmp_path)
    for seed, status in enumerate(("finished", "converged", "stalled", "interrupted")):
        where = four_runs.run_directory(four_runs.declared[seed])
        records.claim(where, four_runs.declared[seed].config.to_dict(), "")
        finish(where, status=status)
        (where / "left").touch()
    execute(four_runs)
    assert stand_in.calls == [3]
    assert [(four_runs.run_directory(entry) / "left").exists() for entry in four_runs.declared] == [True] * 3 + [False]


@pytest.mark.parametrize("status", ["running", "failed"])
def test_what_has_no_result_starts_over(status, stand_in, tmp_path):
    four_runs = four(tmp_path)
    execute(four_runs)
    records.write_json(
        four_runs.run_directory(four_runs.declared[1]) / "run.json", {"status": status, "error": "once", "again": False}
    )
    stand_in.calls.clear()
    assert statuses(execute(four_runs)) == ["finished"] * 4 and stand_in.calls == [1]


def test_a_sweep_that_has_grown(stand_in, tmp_path):
    four_runs = four(tmp_path)
    execute(four_runs)
    stand_in.calls.clear()
    runs = execute(four_runs._replace(declared=[entry(7), *four_runs.declared[1:]]))
    assert (list(runs), stand_in.calls) == (["id7", "id1", "id2", "id3"], [7])
    assert (four_runs.directory / "runs" / "id0" / "image.png").exists()


def test_only_the_run_whose_process_dies_is_charged(stand_in, tmp_path):
    """It gets three tries; the runs behind it in its batch had not begun, and run once each."""
    four_runs = four(tmp_path)
    stand_in.errors[1] = [Died(), Died(), Died(), Died()]
    runs = execute(four_runs, retries=2)
    assert statuses(runs) == ["finished", "failed", "finished", "finished"]
    assert collections.Counter(stand_in.calls) == {0: 1, 1: 3, 2: 1, 3: 1}
    record = runs["id1"].record
    assert (record["error"], record["again"], record["command"]) == (sweep.DIED, True, "command 1")


def test_a_process_that_dies_once(stand_in, tmp_path):
    stand_in.errors[0], stand_in.errors[2] = [Died()], [Died()]
    assert statuses(execute(four(tmp_path), retries=1)) == ["finished"] * 4
    assert collections.Counter(stand_in.calls) == {0: 2, 1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize(
    ("exception", "again", "text"),
    [
        (errors.TexjaxError("octaves is 99."), False, "octaves is 99."),
        (errors.EnvironmentFault("the disk is full."), True, "the disk is full."),
        (RuntimeError("no\n  such   luck"), True, "RuntimeError: no such luck"),
        (MemoryError(), True, "the device ran out of memory"),
    ],
)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_run_that_fails(exception, again, text, retries, stand_in, tmp_path):
    """A run that failed for a mistake of the user is not tried again."""
    four_runs = four(tmp_path)
    stand_in.errors[2] = [exception] * 9
    runs = execute(four_runs, retries)
    assert statuses(runs) == ["finished", "finished", "failed", "finished"]
    assert collections.Counter(stand_in.calls) == {0: 1, 1: 1, 2: 1 + retries * again, 3: 1}
    assert runs["id2"].record["error"].startswith(text) and runs["id2"].record["again"] == again


def test_a_run_that_fails_once(stand_in, tmp_path):
    stand_in.errors[3] = [RuntimeError("once")]
    runs = execute(four(tmp_path))
    assert statuses(runs) == ["finished"] * 4 and "error" not in runs["id3"].record


def test_a_process_that_dies_while_its_run_fails(stand_in, tmp_path, monkeypatch):
    """Its record says that it failed, and does not say why."""
    four_runs = four(tmp_path)

    def fail(directory: Path, *args: Any, **settings: Any) -> None:
        records.write_json(directory / "run.json", {"status": "failed"})
        raise Died

    stand_in.errors[1] = [RuntimeError("half-told")]
    with monkeypatch.context() as patch:
        patch.setattr(records, "fail", fail)
        assert statuses(execute(four_runs, retries=1)) == ["finished"] * 4
    assert stand_in.calls.count(1) == 2


@pytest.mark.parametrize("retries", [0, 2])
def test_an_engine_that_begins_nothing(retries, stand_in, tmp_path):
    four_runs = four(tmp_path)
    idle_calls.clear()
    with pytest.raises(errors.EnvironmentFault, match=r"no run of .* was begun; look at the engine's own logs"):
        execute(four_runs, retries, by=idle)
    assert (idle_calls, stand_in.calls) == ([1] * (1 + retries), [])
    assert statuses(execute(four_runs)) == ["finished"] * 4


def test_an_interrupt(stand_in, tmp_path):
    """A run that is interrupted outside its steps has no result; the sweep ends, and the next start continues it."""
    four_runs = four(tmp_path)
    stand_in.errors[1] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        execute(four_runs, by=local.serial)
    assert statuses(sweep.read_runs(four_runs)) == ["finished", "interrupted", "pending", "pending"]
    stand_in.calls.clear()
    assert statuses(execute(four_runs, by=local.serial)) == ["finished"] * 4 and stand_in.calls == [1, 2, 3]


def test_an_interrupted_run_with_a_result_ends_the_sweep(stand_in, tmp_path, monkeypatch):
    four_runs = four(tmp_path)

    def interrupted(config: Any, paths: Any, directory: Callable[[Any], Path], **about: Any) -> run.Result:
        finish(directory(None), status="interrupted")
        return run.Result("interrupted", 1, 0.0, [])

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "synthesize", interrupted)
        execute(four_runs, by=local.serial)
    assert statuses(sweep.read_runs(four_runs)) == ["interrupted", "pending", "pending", "pending"]
    assert statuses(execute(four_runs)) == ["finished"] * 4


def test_an_engine_is_closed_before_the_lock_is_given_up(stand_in, tmp_path):
    four_runs = four(tmp_path)
    locked = []

    def watched(*_: Any) -> contract.Ticks:
        try:
            yield
        finally:
            with pytest.raises(filelock.Timeout):
                filelock.FileLock(four_runs.directory / ".lock", timeout=0).acquire()
            locked.append(True)

    def interrupt(runs: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.execute(four_runs, watched, contract.Resources(1, four_runs.directory), 1, interrupt)
    assert locked == [True]


DAMAGES = {
    "text": lambda where: (where / "run.json").write_text('{"status": "fini'),
    "bytes": lambda where: (where / "run.json").write_bytes(b"\xff\xfe"),
    "empty": lambda where: (where / "config.json").write_text(""),
    "a list": lambda where: (where / "config.json").write_text("[]"),
    "gone": lambda where: (where / "run.json").unlink(),
    "status": lambda where: records.write_json(where / "run.json", {"status": "great"}),
    "picture": lambda where: (where / "image.png").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_records_are_reported_and_run_again(damage, stand_in, tmp_path):
    four_runs = four(tmp_path)
    execute(four_runs)
    where = four_runs.run_directory(four_runs.declared[2])
    DAMAGES[damage](where)
    runs = sweep.read_runs(four_runs)
    assert statuses(runs) == ["finished", "finished", "pending", "finished"]
    assert str(where) in runs["id2"].record["damaged"]
    stand_in.calls.clear()
    again = execute(four_runs)
    assert statuses(again) == ["finished"] * 4 and stand_in.calls == [2]
    assert not any("damaged" in run.record for run in again.values())


def test_records_that_are_damaged_each_time(stand_in, tmp_path, monkeypatch):
    """The sweep ends with an error and not in an endless loop."""
    monkeypatch.setattr(records, "claim", lambda directory, *_: directory.mkdir(parents=True, exist_ok=True))
    stand_in.errors = {seed: [Died()] * 9 for seed in range(4)}  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(errors.EnvironmentFault, match="no run of"):
        execute(four(tmp_path))


def test_a_run_that_has_ended_is_not_read_again(stand_in, tmp_path, monkeypatch):
    four_runs = four(tmp_path)
    before = execute(four_runs)
    read: list[str] = []
    monkeypatch.setattr(archive, "read", lambda place, *_: read.append(place.name) or before[place.name])
    before["id2"].record["status"] = "running"
    sweep.read_runs(four_runs, before)
    assert read == ["id2"]


def test_the_watcher_sees_runs_end(stand_in, tmp_path):
    four_runs, seen = four(tmp_path), []
    resources = contract.Resources(1, four_runs.directory)
    sweep.execute(four_runs, local.serial, resources, 1, lambda runs: seen.append(statuses(runs).count("finished")))
    assert seen == [1, 2, 3, 4, 4]


def test_work_skips_runs_that_have_ended(stand_in, tmp_path):
    four_runs = four(tmp_path)
    tasks = [
        sweep.Task(four_runs.run_directory(e), e.config.to_dict(), {"sources": [Path("a.png").absolute()]}, "")
        for e in four_runs.declared
    ]
    records.claim(tasks[1].directory, tasks[1].config, "")
    finish(tasks[1].directory)
    sweep.work(tasks)
    assert stand_in.calls == [0, 2, 3]


# Each pair of values of two keys is a program of its own; the seed changes no program.
PROGRAMS = st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["valid", "circular"])), min_size=1, max_size=24)


@given(programs=PROGRAMS, jobs=st.none() | st.integers(1, 12))
def test_batches(programs: list[tuple[int, str]], jobs: int | None):
    def task(seed: int) -> sweep.Task:
        octaves, padding = programs[seed]
        config = {"seed": seed, "octaves": octaves, "pyramid": {"padding": padding}, "max_iter": seed % 3}
        return sweep.Task(Path(str(seed)), config, {}, "")

    seeds = [
        [task.config["seed"] for task in batch] for batch in sweep.batches(list(map(task, range(len(programs)))), jobs)
    ]
    assert all(seeds) and sorted(itertools.chain(*seeds)) == list(range(len(programs)))
    assert all(batch == sorted(batch) for batch in seeds)
    kinds = [{programs[seed] for seed in batch} for batch in seeds]
    assert all(len(kind) == 1 for kind in kinds)
    # Batches of a program follow each other, programs are in the order of their first tasks, and no cut is needless.
    order = [kind.pop() for kind in kinds]
    assert list(dict.fromkeys(order)) == list(dict.fromkeys(programs))
    assert sum(a != b for a, b in itertools.pairwise(order)) == len(set(programs)) - 1
    assert len(seeds) == max(len(set(programs)), min(jobs or len(programs), len(programs)))


@pytest.mark.parametrize(
    ("groups", "jobs", "sizes"),
    [((4,), 3, [1, 1, 2]), ((1, 7), 4, [1, 2, 2, 3]), ((4, 4, 4), 2, [4, 4, 4]), ((2, 6), 4, [2, 2, 2, 2])],
)
def test_batches_are_about_as_long(groups, jobs, sizes):
    octaves = [number for number, length in enumerate(groups) for _ in range(length)]
    tasks = [sweep.Task(Path(), {"octaves": number, "seed": n}, {}, "") for n, number in enumerate(octaves)]
    assert [len(batch) for batch in sweep.batches(tasks, jobs)] == sizes
