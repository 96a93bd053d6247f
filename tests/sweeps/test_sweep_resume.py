"""Sweeps whose processes die all the time end, because every run goes on from its checkpoints."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax.runs import archive, run
from texjax.sweeps import entries, sweep
from texjax.sweeps.engines import contract
from texjax.synthesis import loop


class Died(BaseException):
    """Stands for the end of a process: nothing in texjax may catch it."""


@dataclasses.dataclass
class Mortal:
    """In place of `run.synthesize`: the process dies at the third iterate of each call, before its checkpoint."""

    kills: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.original = run.synthesize

    def __call__(self, *arguments: Any, **settings: Any) -> run.Result:
        seen = 0

        def watch(now: loop.Iterate) -> None:
            nonlocal seen
            seen += 1
            self.steps += len(now.metrics["loss"])
            if seen == 3:
                self.kills += 1
                raise Died

        return self.original(*arguments, watch=watch, **settings)


def engine(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run each batch as in a process of its own, which may die."""
    for batch in batches:
        with contextlib.suppress(Died):
            work(batch)
        yield


@pytest.mark.parametrize("runs", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_sweep_whose_processes_die_ends_with_the_same_bytes(runs: int, tmp_path: Path, monkeypatch):
    source = tmp_path / "source.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(source)
    changes = {"optimizer": {"name": "adam"}, "max_iter": 8, "save_every": 2, "checkpoint_steps": 2}
    declared = [
        entries.Entry(
            f"id{seed}",
            configs.overridden(configs.load("random:tiny"), {"seed": seed, "source.flatten": "none", **changes}),
            {"sources": [source]},
            {"seed": seed},
            "command",
        )
        for seed in range(runs)
    ]
    whole = sweep.execute(
        sweep.Sweep(tmp_path / "whole", "random:tiny", declared), engine, contract.Resources(1, tmp_path)
    )
    mortal = Mortal()
    monkeypatch.setattr(run, "synthesize", mortal)
    killed = sweep.execute(
        sweep.Sweep(tmp_path / "killed", "random:tiny", declared), engine, contract.Resources(1, tmp_path), retries=5
    )
    assert mortal.kills == 2 * runs
    for id_, one in killed.items():
        assert one.status == "finished" and one.record["resumed"] == [2, 6]
        assert one.record["results"] == whole[id_].record["results"]
    print(f"{mortal.kills} kills, {mortal.steps - 9 * runs} steps taken again, {runs} identical results")


def test_a_result_that_was_emptied_is_made_again(tmp_path: Path):
    source = tmp_path / "source.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(source)
    changes = {"optimizer": {"name": "adam"}, "source.flatten": "none", "max_iter": 2}
    config = configs.overridden(configs.load("random:tiny"), changes)
    declared = sweep.Sweep(
        tmp_path / "sweep", "random:tiny", [entries.Entry("id", config, {"sources": [source]}, {}, "command")]
    )
    sweep.execute(declared, engine, contract.Resources(1, tmp_path))
    picture = archive.pictures(tmp_path / "sweep" / "runs" / "id")[0]
    content = picture.read_bytes()
    picture.write_bytes(b"")
    assert "is not what its run made" in sweep.read_runs(declared)["id"].record["damaged"]
    sweep.execute(declared, engine, contract.Resources(1, tmp_path))
    assert picture.read_bytes() == content
