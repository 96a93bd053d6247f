"""Runs that are killed and gone on with end with the same bytes as runs without a break."""

import itertools
import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.runs import archive, checkpoints, resume, run
from texjax.synthesis import loop, schedule

ADAM = {"name": "adam", "learning_rate": 0.004}  # quickest to compile
MRF = {"mrf": {"name": "mrf", "layers": {"conv1_1": 1.0}, "rematch": 3}}


START = loop.Iterate(0, np.zeros(()), {}, 0.0)


class Killed(BaseException):
    """Stands for the end of a process: nothing in texjax may catch it."""


def kill_at(step: int) -> Callable[[loop.Iterate], None]:
    def watch(now: loop.Iterate) -> None:
        if now.step == step:
            raise Killed

    return watch


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "source.png"
    pixels = np.random.default_rng(0).uniform(0, 255, (64, 72, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def config_of(**changes: Any) -> configs.Config:
    """48 px and 2 octaves of random filters; 6 steps, and a checkpoint after every second one."""
    common = {"max_iter": 6, "save_every": 2, "checkpoint_steps": 2, "source.padding": "", "source.flatten": "none"}
    return configs.overridden(configs.load("random:tiny"), common | changes)


def make(config: configs.Config, source: Path, where: Path, watch: Any = lambda now: None) -> run.Result:
    where.mkdir(exist_ok=True)
    return run.synthesize(config, {"sources": [source]}, lambda parts: where, watch)


def go_on(where: Path, extend: int = 0, watch: Any = lambda now: None) -> run.Result:
    begun = resume.begun(where, extend)
    return run.synthesize(begun.config, begun.paths, lambda parts: where, watch, begun=begun)


def files(where: Path) -> dict[str, bytes]:
    """All pictures of a run, and its metrics without their times."""
    pictures = {str(path.relative_to(where)): path.read_bytes() for path in where.rglob("*.png")}
    lines = [{k: v for k, v in line.items() if k != "seconds"} for line in archive.metrics(where)]
    return pictures | {"metrics": json.dumps(lines).encode()}


CASES = {
    "lbfgs": {},
    "lbfgsb": {"optimizer": {"name": "lbfgsb"}},
    "coarse to fine": {"optimizer": ADAM, "schedule.steps": (4,)},
    "a stage that converges": {"optimizer": ADAM, "schedule.steps": (6,), "tol": 0.5},
    "jitter": {"optimizer": ADAM, "jitter": {"pixels": 5.0, "color": 0.1, "every": 3}},
    "several outputs": {"optimizer": ADAM, "count": 2, "batch_mode": "vmap"},
    "refreshed matches": {"optimizer": ADAM, "terms": MRF},
}


SLOW = ("lbfgs", "lbfgsb", "refreshed matches")


@pytest.mark.filterwarnings("ignore:.*holds no checkpoint")  # a run that is killed before its first one
@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.slow] * (case in SLOW)) for case in CASES])
def test_the_same_bytes_after_a_kill(case, source, tmp_path):
    config = config_of(**CASES[case])
    make(config, source, tmp_path / "whole")
    for step in range(2, schedule.total(config) + 1, 4):
        where = tmp_path / f"{step}"
        with pytest.raises(Killed):
            make(config, source, where, kill_at(step))
            raise Killed  # a stage that converges may pass over the step
        if archive.read(where, {}).status not in archive.ENDED:
            go_on(where)
        assert files(where) == files(tmp_path / "whole"), step
    record = archive.read(where, {}).record
    assert record["status"] in archive.ENDED and record["seconds"] > archive.metrics(where)[-1]["seconds"] * 0.9


def test_a_run_goes_on_from_its_newest_checkpoint_and_is_killed_again(source, tmp_path):
    config, steps = config_of(optimizer=ADAM), []
    make(config, source, tmp_path / "whole")
    with pytest.raises(Killed):
        make(config, source, tmp_path / "cut", kill_at(4))
    with pytest.raises(Killed):
        go_on(tmp_path / "cut", watch=kill_at(6))
    go_on(tmp_path / "cut", watch=lambda now: steps.append(now.step))
    assert steps == [6] and archive.read(tmp_path / "cut", {}).record["resumed"] == [2, 4]
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_run_that_ended_before_its_result_was_written(source, tmp_path, monkeypatch):
    config = config_of(optimizer=ADAM)
    make(config, source, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("texjax.runs.records.write_results", lambda *arguments: kill_at(0)(START))
        make(config, source, tmp_path / "cut")
    assert not archive.pictures(tmp_path / "cut")
    assert go_on(tmp_path / "cut").status == "finished"
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_two_checkpoints_are_kept_and_in_the_end_the_images(source, tmp_path):
    folder, seen = tmp_path / "run" / archive.CHECKPOINT_FOLDER, []

    def watch(now: loop.Iterate) -> None:
        seen.append(sorted(int(path.name) for path in folder.glob("*")))

    make(config_of(optimizer=ADAM, max_iter=8), source, tmp_path / "run", watch)
    assert seen == [[], [], [2], [2, 4], [4, 6]]
    assert [path.name for path in folder.iterdir()] == ["8"]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 2 * 48 * 48 * 3 * 4 + 20_000


def test_no_checkpoints_where_none_are_wanted(source, tmp_path):
    make(config_of(optimizer=ADAM, checkpoint_steps=0, checkpoint_every=0.0), source, tmp_path)
    assert not (tmp_path / archive.CHECKPOINT_FOLDER).exists()


def test_checkpoints_by_time(source, tmp_path, monkeypatch):
    clock = itertools.count(0, 7)
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(checkpoints, "SHARE", 0)
    monkeypatch.setattr(checkpoints.Checkpoints, "finish", lambda *arguments, **whole: None)
    make(config_of(optimizer=ADAM, checkpoint_steps=0, checkpoint_every=20.0), source, tmp_path)
    # The clock is read once when the folder is opened, once in each offer, and twice more in each checkpoint.
    assert [path.name for path in (tmp_path / archive.CHECKPOINT_FOLDER).iterdir()] == ["4"]


def test_checkpoints_take_a_fiftieth_of_the_time_at_most(source, tmp_path, monkeypatch):
    times, written = [0.0], []
    points = checkpoints.Checkpoints(tmp_path, 1.0, 0)
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: times[0])

    def write(now: loop.Iterate) -> None:
        written.append(now.step)
        times[0] += 3.0

    monkeypatch.setattr(points, "_write", write)
    points._saved_at = 0.0
    for step in range(1, 400):
        times[0] += 1.0
        points.offer(START._replace(step=step))
    assert written == [1, 151, 301]


def test_more_steps_for_a_run_that_has_ended(source, tmp_path):
    config = config_of(optimizer=ADAM)
    make(config, source, tmp_path / "run")
    before = archive.metrics(tmp_path / "run")
    result = go_on(tmp_path / "run", extend=4)
    lines = archive.metrics(tmp_path / "run")
    assert (result.status, result.steps) == ("finished", 10)
    assert [line["step"] for line in lines] == list(range(11)) and lines[:7] == before
    assert lines[-1]["loss"] < lines[6]["loss"]
    assert archive.read(tmp_path / "run", {}).config["max_iter"] == 10


def test_a_run_that_has_ended_is_not_repeated(source, tmp_path):
    make(config_of(optimizer=ADAM), source, tmp_path)
    with pytest.raises(errors.TexjaxError, match=r"has ended \(finished, after 6 steps\); --extend N adds"):
        resume.begun(tmp_path)


@pytest.fixture(scope="module")
def cut(source, tmp_path_factory) -> Path:
    """A run that was killed after 4 of 6 steps, with two checkpoints."""
    where = tmp_path_factory.mktemp("runs") / "cut"
    with pytest.raises(Killed):
        make(config_of(optimizer=ADAM, max_iter=8), source, where, kill_at(6))
    return where


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory) -> dict[str, bytes]:
    where = tmp_path_factory.mktemp("runs") / "whole"
    make(config_of(optimizer=ADAM, max_iter=8), source, where)
    return files(where)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


DAMAGES = {
    "flipped bit in an array": lambda folder: flip(largest(folder)),
    "truncated array": lambda folder: truncate(largest(folder)),
    "no arrays": lambda folder: shutil.rmtree(folder / "arrays"),
    "no position": lambda folder: shutil.rmtree(folder / "position"),
    "position of another form": lambda folder: (folder / "position" / "metadata").write_text('{"stage": "x"}'),
    "position without sense": lambda folder: (folder / "position" / "metadata").write_text("\x00"),
    "nothing in it": lambda folder: [shutil.rmtree(path) for path in folder.iterdir() if path.is_dir()],
    "another stage": lambda folder: (folder / "position" / "metadata").write_text(
        (folder / "position" / "metadata").read_text().replace('"stage": 0', '"stage": 7')
    ),
}


# Orbax's reader of a truncated array may be told so after it has given up, which Python prints.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_newest_sound_checkpoint_is_used(damage, cut, whole, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    DAMAGES[damage](tmp_path / "run" / archive.CHECKPOINT_FOLDER / "4")
    with pytest.warns(errors.TexjaxWarning, match=r"checkpoint .*/4 cannot be used .*an earlier one is looked for"):
        go_on(tmp_path / "run")
    assert archive.read(tmp_path / "run", {}).record["resumed"] == [2]
    assert files(tmp_path / "run") == whole


def test_without_a_sound_checkpoint_a_run_begins_anew(cut, whole, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    for name in ("2", "4"):
        flip(largest(tmp_path / "run" / archive.CHECKPOINT_FOLDER / name))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        go_on(tmp_path / "run")
    assert sum("cannot be used" in str(warning.message) for warning in told) == 2
    assert "holds no checkpoint that can be used, so the run begins anew" in str(told[-1].message)
    assert files(tmp_path / "run") == whole


def test_a_checkpoint_of_another_size_is_refused(cut, source, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["size"] = [56, 48]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with (
        pytest.warns(errors.TexjaxWarning, match="its arrays are not those of this run"),
        pytest.warns(errors.TexjaxWarning, match="holds no checkpoint that can be used"),
    ):
        go_on(tmp_path / "run")
    assert archive.read(tmp_path / "run", {}).record["resumed"] == [0]


def test_a_changed_source_is_refused(cut, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64), (9, 9, 9)).save(other)
    record["source_paths"] = [str(other)]
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    then, before = record["sources"][0]["sha256"][:12], files(tmp_path / "run")
    with pytest.raises(errors.TexjaxError, match=f"'sources' changed since .*source.png {then} then, other.png"):
        go_on(tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_changed_weights_are_refused(cut, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["seed"] = 5  # of the random filters too
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(errors.TexjaxError, match="the weights of the network changed since the run"):
        go_on(tmp_path / "run")


def test_other_software_is_told(cut, whole, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["versions"]["jax"] = "0.1.2"
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    with pytest.warns(errors.TexjaxWarning, match=r"began with jax 0\.1\.2, now .*picture may differ"):
        go_on(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{}"),
        ("config.json", '{"size": 3}'),
        ("config.json", "["),
        ("run.json", '{"status": "running"}'),
        ("run.json", '{"status": "running", "source_paths": 3}'),
        ("run.json", '{"status": []}'),
    ],
)
def test_records_that_cannot_be_used(name, content, cut, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(errors.TexjaxError, match=r"begin a new run|repeat the run"):
        resume.begun(tmp_path / "run")


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_run_goes_on(source, tmp_path, monkeypatch, whole):
    (tmp_path / archive.CHECKPOINT_FOLDER).write_text("a file where the folder should be")
    with pytest.warns(errors.TexjaxWarning, match=r"no checkpoint could be written into .*check its folder"):
        result = make(config_of(optimizer=ADAM, max_iter=8), source, tmp_path)
    assert result.status == "finished" and files(tmp_path) == whole


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main.main([*map(str, words)])
    return int(end.value.code or 0)


def test_the_commands(source, tmp_path, capsys, monkeypatch):
    where = tmp_path / "run"
    words = ["synthesize", source, "--config", "random:tiny", "--run-dir", where, "--resume"]
    keys = ["--config.checkpoint_steps=3", "--config.source.flatten=none", "--config.source.padding=circular"]
    assert call("resume", where) == 2
    assert f"{where} holds no run" in capsys.readouterr().err
    assert call(*words, *keys) == 0, "it begins, as there is no run"
    assert call(*words, *keys) == 2
    assert "has ended (finished, after 6 steps)" in capsys.readouterr().err
    assert call("resume", where, "--extend", "3") == 0
    assert [line["step"] for line in archive.metrics(where)] == list(range(10))
    assert call(*words[:-3], "--resume") == 2
    assert "name it by --run-dir" in capsys.readouterr().err
    record = json.loads((where / "run.json").read_text())
    (where / "run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    assert call(*words, *keys, "--config.octaves=1") == 2
    assert "has another config (max_iter is 6 and was 9; octaves is 1 and was 2)" in capsys.readouterr().err
