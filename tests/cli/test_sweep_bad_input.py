"""Mistakes with `texjax sweep`: each is answered by one sentence and the right exit code, and no file is half-written.

A row has the words after `texjax sweep`, words that the sentence must contain, and the exit code. `SWEEPS` has configs.
"""

import importlib
import json
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

from texjax import errors
from texjax.cli import main, sweep
from texjax.runs import archive, records, run

HEAD = """
from texjax.config import load, parse_arg
from texjax.sweeps.grids import over, product, zipped

def get_config(arg=None):
    parse_arg(arg, small=False)
    return load("random:tiny")

"""
SWEEPS = {  # name -> lines of `sweep(add)`
    "good": "for seed in (1, 2): add(seed=seed)",
    "twice": "for seed in (1, 2, 1): add(seed=seed)",
    "key": "add(octave=2)",
    "dotted": "add(**{'terms.gram.layer': {'pixels': 1.0}})",
    "kind": "add(octaves='two')",
    "group": "add(optimizer='adam')",
    "part": "add(seed=1.5)",
    "empty": "for overrides in product(seed=(), octaves=(1, 2)): add(**overrides)",
    "raising": "add(seed=1 // 0)",
    "plain": "add({'seed': 1})",
    "axes": "product(over('seed', (1, 2)), seed=(3,))",
    "zip": "zipped(seed=(1, 2), octaves=(1, 2, 3))",
    "arg": "add(arg='huge')",
    "layer": "add(**{'terms.gram.layers.conv9_9': 1.0})",
}
ROWS = [
    ("twice a.png", ["two runs", "same", "seed=1"], 2),
    ("good a.png a.png", ["two runs", "same", "source=a.png"], 2),
    ("key a.png", ["'octave'", "did you mean 'octaves'"], 2),
    ("dotted a.png", ["'terms.gram.layer'", "did you mean 'terms.gram.layers'"], 2),
    ("kind a.png", ["octaves", "int", "'two'"], 2),
    ("group a.png", ["optimizer", "mapping", "'adam'"], 2),
    ("part a.png", ["seed", "int", "1.5"], 2),
    ("empty a.png", ["sweep(add)", "empty.py", "adds no run", "product is empty"], 2),
    ("raising a.png", ["sweep(add)", "raising.py", "ZeroDivisionError"], 2),
    ("plain a.png", ["sweep(add)", "plain.py", "TypeError"], 2),
    ("axes a.png", ["two axes", "seed"], 2),
    ("zip a.png", ["zipped axes have 2, 3 values"], 2),
    ("arg a.png", ["'huge'"], 2),
    ("layer a.png", ["no layer conv9_9"], 2),
    ("random:tiny a.png", ["random", "declares no sweep", "sweep(add)"], 2),
    ("ablations/octave a.png", ["'ablations/octave'", "did you mean 'ablations/octaves'"], 2),
    ("nowhere.py a.png", ["nowhere.py", "does not exist"], 2),
    ("good a.png --config.seed=4", ["seed", "itself", "leave --config.seed out"], 2),
    ("good a.png --config.octave=4", ["'octave'", "'octaves'"], 2),
    ("good a.png --config.octaves", ["octaves", "no value"], 2),
    ("good", ["no source given"], 2),
    ("good nowhere.png", ["nowhere.png", "no such file"], 2),
    ("good a.png --content nowhere.png", ["nowhere.png"], 2),
    ("good a.png --content .", ["."], 2),
    ("good a.png --analogy a.png b.png a.png", ["--analogy", "instead of sources"], 2),
    ("good --analogy a.png b.png nowhere.png", ["nowhere.png"], 2),
    ("good --analogy a.png b.png", ["--analogy", "3"], 2),
    ("", ["CONFIG"], 2),
    ("good a.png --engine rya", ["'rya'", "did you mean 'ray'"], 2),
    ("good a.png --engine processes --jobs 0", ["--jobs is 0", "from 1"], 2),
    ("good a.png --engine processes --jobs x", ["--jobs", "'x'"], 2),
    ("good a.png --jobs 2", ["serial", "--jobs is 2", "processes"], 2),
    ("good a.png --retries -1", ["--retries is -1", "from 0"], 2),
    ("good a.png --engine ray --cpus nan", ["--cpus is nan"], 2),
    ("good a.png --engine ray --gpus inf", ["--gpus is inf"], 2),
    ("good a.png --engine ray --tpus -1", ["--tpus is -1"], 2),
    ("good a.png --engine processes --gpus 1", ["--gpus", "for a cluster"], 2),
    ("good a.png --option a=b", ["--option a=b", "slurm"], 2),
    ("good a.png --engine slurm --option timeout", ["--option timeout", "KEY=VALUE"], 2),
    ("good a.png --sweep-dir a.png", ["cannot write in a.png", "--sweep-dir"], 1),
    ("good a.png --sweep-dir a.png/below", ["cannot write in a.png/below", "--sweep-dir"], 1),
    ("good a.png --sweep-dir /proc/nowhere", ["cannot write in /proc/nowhere", "--sweep-dir"], 1),
]


def texjax(capsys, *words: object) -> tuple[int, str]:
    """Run `texjax sweep`, and return its exit code and the text on standard error."""
    with pytest.raises(SystemExit) as end:
        main.main(["sweep", *map(str, words)])
    return int(end.value.code or 0), capsys.readouterr().err


def is_one_sentence(text: str) -> bool:
    return text.startswith("texjax: ") and text.endswith((".\n", "?\n")) and text.count("\n") == 1


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in SWEEPS.items():
        Path(f"{name}.py").write_text(f"{HEAD}\ndef sweep(add):\n    {lines}\n")
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(ord(name[0])).integers(0, 256, (64, 80, 3), np.uint8)).save(name)
    return tmp_path


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize(("words", "keys", "code"), ROWS, ids=[row[0] or "nothing" for row in ROWS])
def test_one_sentence_says_what_is_wrong(words, keys, code, here, capsys):
    filled = [f"{word}.py" if word in SWEEPS else word for word in words.split()]
    before = tree(here)
    got, sentence = texjax(capsys, *filled)
    assert got == code, sentence
    assert not [key for key in keys if key not in sentence], sentence
    assert is_one_sentence(sentence), sentence
    assert tree(here) == before, "something was written"


@pytest.mark.parametrize(("engine", "library"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed(engine, library, here, monkeypatch, capsys):
    load = importlib.import_module

    def missing(name: str, *args):
        if name == library:
            raise ModuleNotFoundError(f"No module named '{name}'")
        return load(name, *args)

    monkeypatch.setattr(importlib, "import_module", missing)
    code, sentence = texjax(capsys, "good.py", "a.png", "--engine", engine)
    assert (code, is_one_sentence(sentence)) == (2, True), sentence
    assert f"engine {engine} is not installed" in sentence and f"pip install 'texjax[{engine}]'" in sentence


@pytest.fixture
def stand_in(monkeypatch) -> list[int]:
    """Replaces `run.synthesize` by a function that just writes records; the list of the seeds it was called with."""
    seeds: list[int] = []

    def synthesize(config, pictures, directory, **settings):
        seeds.append(config.seed)
        records.write_json(directory(None) / "run.json", {"status": "finished"})
        (directory(None) / "image.png").touch()
        return run.Result("finished", 1, 0.0, [])

    monkeypatch.setattr(run, "synthesize", synthesize)
    return seeds


GOOD = ("good.py", "a.png", "--sweep-dir", "there")


def test_a_directory_of_another_version(here, stand_in, capsys):
    assert texjax(capsys, *GOOD) == (0, "")
    records.write_json(here / "there" / "sweep.json", {"version": archive.VERSION + 1, "config": "", "runs": []})
    before = tree(here)
    code, sentence = texjax(capsys, *GOOD)
    assert (code, is_one_sentence(sentence)) == (2, True), sentence
    assert "another version" in sentence and "choose another directory" in sentence and tree(here) == before


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\0"])
def test_a_damaged_list_of_runs(text, here, stand_in, capsys):
    """The remedy in the sentence helps, and no result is lost."""
    assert texjax(capsys, *GOOD) == (0, "")
    (here / "there" / "sweep.json").write_text(text)
    code, sentence = texjax(capsys, *GOOD)
    assert (code, is_one_sentence(sentence)) == (2, True), sentence
    assert "there/sweep.json" in sentence and "remove this file" in sentence
    (here / "there" / "sweep.json").unlink()
    assert texjax(capsys, *GOOD) == (0, "")
    assert stand_in == [1, 2] and len(json.loads((here / "there" / "sweep.json").read_text())["runs"]) == 2


@pytest.mark.parametrize("name", ["run.json", "config.json", "image.png"])
def test_damaged_records_are_named_and_their_runs_made_again(name, here, stand_in, capsys):
    assert texjax(capsys, *GOOD) == (0, "")
    damaged = sorted((here / "there" / "runs").iterdir())[0]
    (damaged / name).unlink() if name == "image.png" else (damaged / name).write_text("{")
    code, sentence = texjax(capsys, *GOOD)
    assert (code, is_one_sentence(sentence)) == (0, True), sentence
    assert damaged.name in sentence and "this run is repeated" in sentence
    assert stand_in[:2] == [1, 2] and len(stand_in) == 3
    assert texjax(capsys, *GOOD) == (0, "") and len(stand_in) == 3


def test_a_directory_in_use(here, stand_in, capsys):
    Path("there").mkdir()
    with filelock.FileLock("there/.lock"):
        code, sentence = texjax(capsys, *GOOD)
    assert (code, is_one_sentence(sentence)) == (2, True), sentence
    assert "another sweep is running in there" in sentence and not stand_in
    assert texjax(capsys, *GOOD) == (0, "")


@pytest.mark.parametrize("again", [True, False])
def test_runs_that_fail(again, here, stand_in, monkeypatch, capsys):
    """The other runs are made, and the exit code reports the failure."""
    synthesize = run.synthesize

    def fail(config, *args, **settings):
        if config.seed == 1:
            raise RuntimeError("no such\nluck") if again else errors.TexjaxError("octaves is 99.")
        return synthesize(config, *args, **settings)

    monkeypatch.setattr(run, "synthesize", fail)
    with pytest.raises(SystemExit) as end:
        main.main(["sweep", *GOOD])
    out, sentence = capsys.readouterr()
    assert (end.value.code, is_one_sentence(sentence)) == (1, True), sentence
    assert "1 of 2 runs failed" in sentence and stand_in == [2]
    assert "failed: seed=1: " in out and "2 runs: 1 failed, 1 finished" in out and out.splitlines()[-1] == "there"


def test_too_little_memory_is_reported(here, monkeypatch, capsys):
    def fail(*args, **settings):
        raise MemoryError

    monkeypatch.setattr(run, "synthesize", fail)
    with pytest.raises(SystemExit) as end:
        main.main(["sweep", *GOOD])
    out, sentence = capsys.readouterr()
    assert end.value.code == 1 and "2 of 2 runs failed" in sentence
    assert out.count("the device ran out of memory") == 2


def test_flags():
    words = "ablations/octaves a.png --engine ray --jobs 3 --retries 0 --dry-run"
    args = main._parser().parse_args(["sweep", *words.split()])
    assert (args.dry_run, args.engine, args.jobs, args.retries, args.sources) == (True, "ray", 3, 0, ["a.png"])


@pytest.mark.parametrize(
    ("words", "jobs"),
    [("--engine serial", 1), ("--engine processes", 2), ("--engine processes --jobs 5", 5), ("--engine ray", None)],
)
def test_the_default_number_of_jobs(words, jobs, tmp_path):
    """Ray has no default: each run is a batch of its own. In processes each batch compiles its programs again."""
    args = main._parser().parse_args(["sweep", "ablations/octaves", "a.png", *words.split()])
    assert sweep._resources(args)(tmp_path).jobs == jobs


@pytest.mark.parametrize("words", [["mine.py"], ["ablations/octaves"]])
def test_the_default_directory(words, monkeypatch, here, stand_in, capsys):
    Path("mine.py").write_text(Path("good.py").read_text())
    assert texjax(capsys, *words, "a.png")[0] == 0
    assert (here / "outputs" / f"sweep.{Path(words[0]).stem}" / "sweep.json").exists()
