"""The engines of one machine: this process, and processes of their own, which are killed and interrupted."""

import importlib
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from texjax.sweeps.engines import contract, local


def touch(batch: Sequence[Path]) -> None:
    for path in batch:
        path.write_text(str(os.getpid()))


def die(batch: Sequence[Path]) -> None:
    if batch[0].name == "dies":
        os._exit(3)
    touch(batch)


def linger(batch: Sequence[Path]) -> None:
    batch[0].touch()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        batch[0].write_text("interrupted")
        raise


def ticks(engine, work, batches, jobs=2) -> list[None]:
    return list(engine(work, batches, contract.Resources(jobs, Path())))


def test_serial_is_in_this_process(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    assert len(ticks(local.serial, touch, [paths[:2], paths[2:]])) == 3
    assert {path.read_text() for path in paths} == {str(os.getpid())}


def test_each_batch_has_a_process(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    ticks(local.processes, touch, [paths[:2], paths[2:3], paths[3:]])
    pids = [path.read_text() for path in paths]
    assert pids[0] == pids[1] and len({*pids, str(os.getpid())}) == 4


def test_a_process_that_dies_leaves_the_others(tmp_path):
    ticks(local.processes, die, [[tmp_path / "a"], [tmp_path / "dies"], [tmp_path / "b"]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_processes_of_a_closed_engine_are_interrupted(tmp_path, waiting):
    paths = [tmp_path / "a", tmp_path / "b", tmp_path / "never"]
    ticking = local.processes(linger, [[path] for path in paths], contract.Resources(2, Path()))
    next(ticking)
    while not (paths[0].exists() and paths[1].exists()):
        next(ticking)
    ticking.close()
    assert [path.read_text() for path in paths[:2]] == ["interrupted"] * 2 and not paths[2].exists()


SLOW = """
import multiprocessing, pathlib, time

if multiprocessing.current_process().name != "MainProcess":
    pathlib.Path(__file__).with_name("importing").touch()
    time.sleep(2)

def work(batch):
    batch[0].touch()
    time.sleep(600)
"""


def test_an_interrupt_while_a_process_starts(tmp_path, monkeypatch, capfd):
    """The interrupt is held back until the process can end in order, without the traceback of an import."""
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("slow_to_import").work
    ticking = local.processes(work, [[tmp_path / "a"]], contract.Resources(1, Path()))
    while not (tmp_path / "importing").exists():
        next(ticking)
    ticking.close()
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_processes_that_are_killed_at_random_ticking(place, expected, waiting):
    """The next sweep keeps the runs that ended and makes the others, and no process of the killed one writes on."""
    rng = random.Random(5)
    assert len(expected) == 24
    words, earlier = ("all", "killed", "--engine", "processes", "--jobs", 2), {}
    for least in sorted(rng.sample(range(22), 3)):
        process = place.start(*words)
        waiting(lambda least=least: len(place.ended("killed")) >= least, process)
        time.sleep(rng.uniform(0, 1))
        process.kill()
        process.communicate(timeout=60)  # until no process has its standard output open
        time.sleep(2)
        marks, statuses = place.marks("killed"), place.statuses("killed")
        time.sleep(1)
        assert (place.marks("killed"), place.statuses("killed")) == (marks, statuses), "somebody still writes"
        assert {run: marks[run] for run in earlier} == earlier, "something has been run twice"
        earlier = marks
    place.sweep(*words)
    after = place.marks("killed")
    assert {run: after[run] for run in earlier} == earlier
    assert place.pictures("killed") == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_ctrl_c(engine, place, waiting):
    words = ("few", engine, "--engine", engine, "--config.max_iter=300")
    process = place.start(*words)
    waiting(lambda: "running" in place.statuses(engine).values(), process)
    time.sleep(random.Random(1).uniform(0, 0.5))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err
    statuses = place.statuses(engine)
    # Python prints an interrupt within a callback of the garbage collector, which then ends at the next step.
    assert "Traceback" not in err or "Exception ignored in" in err
    assert "interrupted" in statuses.values() and not {"running", "failed"} & set(statuses.values()), statuses
    place.sweep(*words)
    assert len(place.ended(engine)) == 4
