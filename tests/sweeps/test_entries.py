"""What a sweep declares: its runs, what tells them apart, and the command that makes each by itself."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.sweeps import entries

HEAD = """
from texjax.config import load, parse_arg
from texjax.sweeps.grids import chain, over, product, zipped

def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, base="random")
    return load(f"{arg.base}:tiny={arg.tiny}")

def sweep(add):
"""
VARIED = """
    add(octaves=1, seed=3)
    add(octaves=2, tol=1e-12, size=(64, 48))
    add(**{"terms.gram.layers": {"pixels": 2, "conv1_1": 0.5}, "terms.gram.join": "max"})
    add(init={"name": "noise", "mean": 0.5, "deviation": 0.1})
    add(optimizer={"name": "adam"}, max_iter=7)
    add(**{"terms.gram.weight": 3, "source.background": (0.0, 0.5, 1.0), "output.original_colors": False})
    add(**{"features.padding": "valid", "pyramid.padding": "valid", "init.deviation": -1e-3})
    add(arg="tiny")
"""


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Makes what a sweep is given: of a config with these lines as its `sweep(add)`."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "many").mkdir()
    for name in ("a", "b", "it's one", "many/c", "many/d"):
        Image.fromarray(rng.integers(0, 256, (64, 80, 3), np.uint8)).save(f"{name}.png")

    def made(lines: str, overrides=(), sources=("a.png",), arg="", **others) -> entries.Given:
        Path("mine.py").write_text(HEAD + lines)
        return entries.Given(f"mine.py{arg}", overrides, sources, **others)

    return made


def job(command: str):
    """What the command itself makes of the words."""
    program, *words = shlex.split(command)
    ours, overrides = main._split(words)
    assert program == "texjax"
    return main._job(main._parser().parse_args(ours), overrides)


def check_commands(found: list[entries.Entry]) -> None:
    for entry in found:
        got = job(entry.command)
        # By their text, so that 1 and 1.0 are not the same.
        assert repr(got.config.to_dict()) == repr(entry.config.to_dict()), entry.command
        assert (got.paths, got.others) == (entry.paths, entry.others), entry.command


def test_the_command_of_a_synthesis(given):
    overrides = ("--config.features.channels=8", "--config.patience", "3")
    found = entries.declared(given(VARIED, overrides, ("a.png", "it's one.png", "many"), ":base=random"))
    assert len(found) == 8 * 3 and overrides[0] in found[0].command
    check_commands(found)
    assert [len(entry.paths) for entry in found[:3]] == [1, 1, 2]


@pytest.mark.parametrize("size", ["", "    add(size=(48, 64))\n"])
def test_the_command_of_a_transfer(given, size):
    lines = size + "    for iterations in (2, 3):\n        add(max_iter=iterations)\n"
    made = given(lines, (), ("a.png", "many"), ":base=multiscale_style", contents=("b.png", "it's one.png"))
    found = entries.declared(made)
    assert len(found) == (2 + bool(size)) * 2 * 2
    check_commands(found)
    assert (
        found[-1].config.size == job("texjax transfer b.png a.png --config mine.py:base=multiscale_style").config.size
    )


def test_the_command_of_a_transfer_of_a_given_size(given):
    made = given("    add(seed=1)\n", ("--config.size=(40, 56)",), arg=":base=multiscale_style", contents=("b.png",))
    check_commands(entries.declared(made))
    assert entries.declared(made)[0].config.size == (40, 56)


def test_the_command_of_an_analogy(given):
    made = given(
        "    add(seed=1)\n    add(seed=2)\n", (), (), ":base=analogies", analogy=("a.png", "b.png", "it's one.png")
    )
    found = entries.declared(made)
    check_commands(found)
    assert found[0].paths == [Path("b.png")] and len(found[0].others["analogy"]) == 3


def test_the_order_of_the_runs_and_what_sets_them_apart(given):
    found = entries.declared(given("    for n in (2, 1):\n        add(octaves=n)\n", (), ("a.png", "b.png")))
    assert [entry.swept for entry in found] == [
        {"octaves": 2, "source": "a.png"},
        {"octaves": 2, "source": "b.png"},
        {"octaves": 1, "source": "a.png"},
        {"octaves": 1, "source": "b.png"},
    ]
    assert entries.label(found[0].swept) == "octaves=2, source=a.png"
    assert entries.label({}) == "the only run"


def test_pictures_of_one_name(given, tmp_path):
    """The whole word tells them apart."""
    (tmp_path / "a.png").rename(tmp_path / "many" / "b.png")
    found = entries.declared(given("    add()\n", (), ("b.png", "many/b.png", "many/c.png")))
    assert [entry.swept["source"] for entry in found] == ["b.png", "many/b.png", "c.png"]


def test_an_argument_of_the_config(given):
    (tiny, plain) = entries.declared(given('    add(arg="tiny")\n    add(arg="tiny=False", seed=4)\n'))
    assert (tiny.config.max_iter, plain.config.max_iter, plain.config.seed) == (6, 200, 4)
    assert (tiny.swept, plain.swept) == ({"arg": "tiny"}, {"arg": "tiny=False", "seed": 4})
    (joined,) = entries.declared(given('    add(arg="tiny")\n', arg=":base=novelty"))
    assert "mine.py:base=novelty,tiny" in joined.command


def ids(given) -> list[str]:
    return [entry.id for entry in entries.declared(given)]


def test_ids_are_of_what_is_run(given, tmp_path):
    """Not of how it was said: not of names of files, of the file's own text, nor of the words."""
    first = ids(given("    add(seed=1)\n    add(seed=2)\n"))
    assert first == ids(given("    add(seed=1, tol=1e-9)\n    add(seed=2, octaves=4)\n"))  # the defaults
    assert first[1:] == ids(given("    add()\n", ("--config.seed=2",)))
    (tmp_path / "same.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert first == ids(given("    add(seed=1)\n    add(seed=2)\n", sources=("same.png",)))


@pytest.mark.parametrize("change", ["config", "source", "content"])
def test_ids_change_with_what_is_run(change, given, tmp_path):
    settings = dict(arg=":base=multiscale_style", contents=("b.png",))
    before = ids(given("    add()\n", **settings))
    if change == "config":
        assert before != ids(given("    add()\n", ("--config.max_iter=4",), **settings))
        return
    path = tmp_path / ("a.png" if change == "source" else "b.png")
    path.write_bytes(path.read_bytes() + b"\0")
    assert before != ids(given("    add()\n", **settings))


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"arg": 3}, "arg=3; give text"),
        ({"init": {"name": "crop"}, "init.deviation": 0.5}, "sets init and also init.deviation"),
        ({"terms.gram.layers": {"pixels": 1j}}, "terms.gram.layers .*of Python's own"),
        ({"init": {"name": "picture", "path": Path("a.png")}}, "init .*of Python's own"),
    ],
)
def test_what_add_takes(changes, pattern, given):
    line = repr(changes).replace("PosixPath", "__import__('pathlib').Path")
    with pytest.raises(errors.TexjaxError, match=pattern):
        entries.declared(given(f"    add(**{line})\n"))


def test_numbers_of_numpy_become_those_of_python(given):
    line = "add(tol=np.float64(0.25), octaves=np.int64(3), size=(np.int32(64), 48), init=init)"
    start = "init = dict(name='noise', mean=np.float32(0.5), deviation=0.1)"
    (entry,) = entries.declared(given(f"    import numpy as np\n    {start}\n    {line}\n"))
    init = {"name": "noise", "mean": 0.5, "deviation": 0.1}
    assert entry.swept == {"tol": 0.25, "octaves": 3, "size": [64, 48], "init": init}
    check_commands([entry])


def test_shipped_sweeps(given):
    for name in configs.names("ablations/*.py"):
        made = entries.Given(f"{name}:tiny", (), ("many",))
        found = entries.declared(made)
        assert len({entry.id for entry in found}) == len(found)
        check_commands(found[-1:])
