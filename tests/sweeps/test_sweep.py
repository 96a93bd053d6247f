"""Sweeps: what is run, again or not, and what the records say, with stand-ins for the engine and for the run."""

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


class Stand:
    """In place of `run.synthesize`: does what was said of a seed, each time the next, and counts."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.acts: dict[int, list[BaseException | None]] = collections.defaultdict(list)

    def __call__(self, config: Any, paths: Any, directory: Callable[[Any], Path], **about: Any) -> run.Result:
        self.calls.append(config.seed)
        act = self.acts[config.seed].pop(0) if self.acts[config.seed] else None
        if act is not None:
            raise act
        finish(directory(None))
        return run.Result("finished", 1, 0.0, [])


def finish(where: Path, **more: Any) -> None:
    records.write_json(where / "run.json", {"status": "finished", **more})
    (where / "image.png").write_bytes(b"a picture")


def engine(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """Each batch as in a process of its own, that may die."""
    for batch in batches:
        with contextlib.suppress(Died):
            work(batch)
        yield


def idle(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """Whose processes all die before they begin anything."""
    calls.append(len(batches))
    yield


calls: list[int] = []


def entry(seed: int, **changes: Any) -> entries.Entry:
    config = configs.overridden(configs.load("random:tiny"), {"seed": seed, **changes})
    return entries.Entry(f"id{seed}", config, [Path("a.png")], {}, {"seed": seed}, f"command {seed}")


def four(folder: Path) -> sweep.Sweep:
    """Runs of seeds 0 to 3, which one process makes."""
    return sweep.Sweep(folder / "sweep", "random:tiny", [entry(seed) for seed in range(4)])


def execute(made: sweep.Sweep, retries: int = 1, by: contract.Engine = engine) -> dict[str, archive.Run]:
    return sweep.execute(made, by, contract.Resources(1, made.directory), retries)


def statuses(found: dict[str, archive.Run]) -> list[str]:
    return [run.status for run in found.values()]


@pytest.fixture
def stand(monkeypatch) -> Stand:
    made = Stand()
    monkeypatch.setattr(run, "synthesize", made)
    return made


def test_the_directory_of_a_sweep(stand, tmp_path):
    made = four(tmp_path)
    found = execute(made)
    assert list(found) == ["id0", "id1", "id2", "id3"] and statuses(found) == ["finished"] * 4
    assert json.loads((made.directory / "sweep.json").read_text()) == {
        "version": 1,
        "config": "random:tiny",
        "runs": [{"id": f"id{n}", "swept": {"seed": n}, "command": f"command {n}"} for n in range(4)],
    }
    assert sorted(path.name for path in (made.directory / "runs").iterdir()) == ["id0", "id1", "id2", "id3"]
    assert (stand.calls, found["id2"].swept) == ([0, 1, 2, 3], {"seed": 2})


def test_what_has_ended_is_not_run_again(stand, tmp_path):
    made = four(tmp_path)
    for seed, status in enumerate(("finished", "converged", "stalled", "interrupted")):
        where = made.place(made.declared[seed])
        records.claim(where, made.declared[seed].config.to_dict(), "")
        finish(where, status=status)
        (where / "left").touch()
    execute(made)
    assert stand.calls == [3]
    assert [(made.place(entry) / "left").exists() for entry in made.declared] == [True] * 3 + [False]


@pytest.mark.parametrize("status", ["running", "failed"])
def test_what_has_no_result_starts_over(status, stand, tmp_path):
    made = four(tmp_path)
    execute(made)
    records.write_json(made.place(made.declared[1]) / "run.json", {"status": status, "error": "once", "again": False})
    stand.calls.clear()
    assert statuses(execute(made)) == ["finished"] * 4 and stand.calls == [1]


def test_a_sweep_that_has_grown(stand, tmp_path):
    made = four(tmp_path)
    execute(made)
    stand.calls.clear()
    found = execute(made._replace(declared=[entry(7), *made.declared[1:]]))
    assert (list(found), stand.calls) == (["id7", "id1", "id2", "id3"], [7])
    assert (made.directory / "runs" / "id0" / "image.png").exists()


def test_a_run_whose_process_dies_is_tried_again_and_alone_charged(stand, tmp_path):
    """Three tries; those behind it in its batch have not begun, and get to run once each."""
    made = four(tmp_path)
    stand.acts[1] = [Died(), Died(), Died(), Died()]
    found = execute(made, retries=2)
    assert statuses(found) == ["finished", "failed", "finished", "finished"]
    assert collections.Counter(stand.calls) == {0: 1, 1: 3, 2: 1, 3: 1}
    record = found["id1"].record
    assert (record["error"], record["again"], record["command"]) == (sweep.DIED, True, "command 1")


def test_a_process_that_dies_once(stand, tmp_path):
    stand.acts[0], stand.acts[2] = [Died()], [Died()]
    assert statuses(execute(four(tmp_path), retries=1)) == ["finished"] * 4
    assert collections.Counter(stand.calls) == {0: 2, 1: 1, 2: 2, 3: 1}


@pytest.mark.parametrize(
    ("act", "again", "error"),
    [
        (errors.TexjaxError("octaves is 99."), False, "octaves is 99."),
        (errors.EnvironmentFault("the disk is full."), True, "the disk is full."),
        (RuntimeError("no\n  such   luck"), True, "RuntimeError: no such luck"),
        (MemoryError(), True, "the device ran out of memory"),
    ],
)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_run_that_fails(act, again, error, retries, stand, tmp_path):
    """What the user gave cannot do better another time."""
    made = four(tmp_path)
    stand.acts[2] = [act] * 9
    found = execute(made, retries)
    assert statuses(found) == ["finished", "finished", "failed", "finished"]
    assert collections.Counter(stand.calls) == {0: 1, 1: 1, 2: 1 + retries * again, 3: 1}
    assert found["id2"].record["error"].startswith(error) and found["id2"].record["again"] == again


def test_a_run_that_fails_once(stand, tmp_path):
    stand.acts[3] = [RuntimeError("once")]
    found = execute(four(tmp_path))
    assert statuses(found) == ["finished"] * 4 and "error" not in found["id3"].record


def test_a_process_that_dies_while_its_run_fails(stand, tmp_path, monkeypatch):
    """`run.synthesize` has written that it failed, and nothing has written why."""
    made = four(tmp_path)

    def fail(directory: Path, *args: Any, **settings: Any) -> None:
        records.write_json(directory / "run.json", {"status": "failed"})
        raise Died

    stand.acts[1] = [RuntimeError("half-told")]
    with monkeypatch.context() as patch:
        patch.setattr(records, "fail", fail)
        assert statuses(execute(made, retries=1)) == ["finished"] * 4
    assert stand.calls.count(1) == 2


@pytest.mark.parametrize("retries", [0, 2])
def test_an_engine_that_begins_nothing(retries, stand, tmp_path):
    made = four(tmp_path)
    calls.clear()
    with pytest.raises(errors.EnvironmentFault, match=r"no run of .* was begun; look at the engine's own logs"):
        execute(made, retries, by=idle)
    assert (calls, stand.calls) == ([1] * (1 + retries), [])
    assert statuses(execute(made)) == ["finished"] * 4


def test_an_interrupt(stand, tmp_path):
    """Outside its steps a run has no result; the sweep ends, and goes on at the next start."""
    made = four(tmp_path)
    stand.acts[1] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        execute(made, by=local.serial)
    assert statuses(sweep.look(made)) == ["finished", "interrupted", "pending", "pending"]
    stand.calls.clear()
    assert statuses(execute(made, by=local.serial)) == ["finished"] * 4 and stand.calls == [1, 2, 3]


def test_an_interrupted_run_with_a_result_ends_the_sweep(stand, tmp_path, monkeypatch):
    made = four(tmp_path)

    def interrupted(config: Any, paths: Any, directory: Callable[[Any], Path], **about: Any) -> run.Result:
        finish(directory(None), status="interrupted")
        return run.Result("interrupted", 1, 0.0, [])

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "synthesize", interrupted)
        execute(made, by=local.serial)
    assert statuses(sweep.look(made)) == ["interrupted", "pending", "pending", "pending"]
    assert statuses(execute(made)) == ["finished"] * 4


def test_an_engine_is_closed_before_the_lock_is_given_up(stand, tmp_path):
    made = four(tmp_path)
    locked = []

    def watched(*_: Any) -> contract.Moments:
        try:
            yield
        finally:
            with pytest.raises(filelock.Timeout):
                filelock.FileLock(made.directory / ".lock", timeout=0).acquire()
            locked.append(True)

    def interrupt(runs: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.execute(made, watched, contract.Resources(1, made.directory), 1, interrupt)
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
def test_damaged_records_are_told_and_run_again(damage, stand, tmp_path):
    made = four(tmp_path)
    execute(made)
    where = made.place(made.declared[2])
    DAMAGES[damage](where)
    found = sweep.look(made)
    assert statuses(found) == ["finished", "finished", "pending", "finished"]
    assert str(where) in found["id2"].record["damaged"]
    stand.calls.clear()
    again = execute(made)
    assert statuses(again) == ["finished"] * 4 and stand.calls == [2]
    assert not any("damaged" in run.record for run in again.values())


def test_records_that_are_damaged_each_time(stand, tmp_path, monkeypatch):
    """No endless loop."""
    monkeypatch.setattr(records, "claim", lambda directory, *_: directory.mkdir(parents=True, exist_ok=True))
    stand.acts = {seed: [Died()] * 9 for seed in range(4)}  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(errors.EnvironmentFault, match="no run of"):
        execute(four(tmp_path))


def test_a_look_reads_no_run_twice_that_has_ended(stand, tmp_path, monkeypatch):
    made = four(tmp_path)
    before = execute(made)
    read: list[str] = []
    monkeypatch.setattr(archive, "read", lambda place, *_: read.append(place.name) or before[place.name])
    before["id2"].record["status"] = "running"
    sweep.look(made, before)
    assert read == ["id2"]


def test_the_watcher_sees_the_sweep_grow(stand, tmp_path):
    made, seen = four(tmp_path), []
    resources = contract.Resources(1, made.directory)
    sweep.execute(made, local.serial, resources, 1, lambda runs: seen.append(statuses(runs).count("finished")))
    assert seen == [1, 2, 3, 4, 4]


def test_work_leaves_alone_what_has_ended(stand, tmp_path):
    made = four(tmp_path)
    tasks = [sweep.Task(made.place(e), e.config.to_dict(), [Path("a.png")], {}, "") for e in made.declared]
    records.claim(tasks[1].directory, tasks[1].config, "")
    finish(tasks[1].directory)
    sweep.work(tasks)
    assert stand.calls == [0, 2, 3]


# Two keys of which each pair is a program, and the seed, which is none.
PROGRAMS = st.lists(st.tuples(st.integers(1, 2), st.sampled_from(["valid", "circular"])), min_size=1, max_size=24)


@given(programs=PROGRAMS, jobs=st.none() | st.integers(1, 12))
def test_batches(programs: list[tuple[int, str]], jobs: int | None):
    def task(seed: int) -> sweep.Task:
        octaves, padding = programs[seed]
        config = {"seed": seed, "octaves": octaves, "pyramid": {"padding": padding}, "max_iter": seed % 3}
        return sweep.Task(Path(str(seed)), config, [], {}, "")

    found = [
        [task.config["seed"] for task in batch] for batch in sweep.batches(list(map(task, range(len(programs)))), jobs)
    ]
    assert all(found) and sorted(itertools.chain(*found)) == list(range(len(programs)))
    assert all(batch == sorted(batch) for batch in found)
    kinds = [{programs[seed] for seed in batch} for batch in found]
    assert all(len(kind) == 1 for kind in kinds)
    # Batches of a program are beside each other, programs in the order of their first tasks, and none is cut in vain.
    order = [kind.pop() for kind in kinds]
    assert list(dict.fromkeys(order)) == list(dict.fromkeys(programs))
    assert sum(a != b for a, b in itertools.pairwise(order)) == len(set(programs)) - 1
    assert len(found) == max(len(set(programs)), min(jobs or len(programs), len(programs)))


@pytest.mark.parametrize(
    ("groups", "jobs", "sizes"),
    [((4,), 3, [1, 1, 2]), ((1, 7), 4, [1, 2, 2, 3]), ((4, 4, 4), 2, [4, 4, 4]), ((2, 6), 4, [2, 2, 2, 2])],
)
def test_batches_are_about_as_long(groups, jobs, sizes):
    octaves = [number for number, length in enumerate(groups) for _ in range(length)]
    tasks = [sweep.Task(Path(), {"octaves": number, "seed": n}, [], {}, "") for n, number in enumerate(octaves)]
    assert [len(batch) for batch in sweep.batches(tasks, jobs)] == sizes
