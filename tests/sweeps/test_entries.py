"""The runs that a sweep declares, what distinguishes them, and the command that makes each run by itself."""

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
def request_of(tmp_path, monkeypatch):
    """A function that returns a request for a sweep whose config has these lines as its `sweep(add)`."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "many").mkdir()
    for name in ("a", "b", "it's one", "many/c", "many/d"):
        Image.fromarray(rng.integers(0, 256, (64, 80, 3), np.uint8)).save(f"{name}.png")

    def request(lines: str, overrides=(), sources=("a.png",), arg="", **pictures) -> entries.Request:
        Path("mine.py").write_text(HEAD + lines)
        return entries.Request(f"mine.py{arg}", overrides, sources, **pictures)

    return request


def job(command: str):
    """Return the config and the pictures that the command itself would run with."""
    program, *words = shlex.split(command)
    flags, overrides = main._split(words)
    assert program == "texjax"
    args = main._parser().parse_args(flags)
    return args.job(args, overrides)


def check_commands(declared: list[entries.Entry]) -> None:
    """Check that the command of each run alone has the run's config and pictures."""
    for entry in declared:
        alone = job(entry.command)
        # Texts are compared, because 1 and 1.0 are equal and not the same.
        assert repr(alone.config.to_dict()) == repr(entry.config.to_dict()), entry.command
        assert alone.pictures == entry.pictures, entry.command


def test_the_command_of_a_synthesis(request_of):
    overrides = ("--config.features.channels=8", "--config.patience", "3")
    declared = entries.declared(request_of(VARIED, overrides, ("a.png", "it's one.png", "many"), ":base=random"))
    assert len(declared) == 8 * 3 and overrides[0] in declared[0].command
    check_commands(declared)
    assert [len(entry.pictures["sources"]) for entry in declared[:3]] == [1, 1, 2]


@pytest.mark.parametrize("size", ["", "    add(size=(48, 64))\n"])
def test_the_command_of_a_transfer(request_of, size):
    lines = size + "    for iterations in (2, 3):\n        add(max_iter=iterations)\n"
    request = request_of(lines, (), ("a.png", "many"), ":base=multiscale_style", contents=("b.png", "it's one.png"))
    declared = entries.declared(request)
    assert len(declared) == (2 + bool(size)) * 2 * 2
    check_commands(declared)
    alone = job("texjax transfer b.png a.png --config mine.py:base=multiscale_style")
    assert declared[-1].config.size == alone.config.size


def test_the_command_of_a_transfer_of_a_given_size(request_of):
    overrides = ("--config.size=(40, 56)",)
    request = request_of("    add(seed=1)\n", overrides, arg=":base=multiscale_style", contents=("b.png",))
    check_commands(entries.declared(request))
    assert entries.declared(request)[0].config.size == (40, 56)


def test_the_command_of_an_analogy(request_of):
    lines, triple = "    add(seed=1)\n    add(seed=2)\n", ("a.png", "b.png", "it's one.png")
    declared = entries.declared(request_of(lines, (), (), ":base=analogies", analogy=triple))
    check_commands(declared)
    a, a_prime, b = map(Path, triple)
    assert declared[0].pictures == {"sources": [a_prime], "content": [b], "analogy": [a, a_prime, b]}


def test_the_order_of_the_runs_and_what_distinguishes_them(request_of):
    declared = entries.declared(request_of("    for n in (2, 1):\n        add(octaves=n)\n", (), ("a.png", "b.png")))
    assert [entry.swept for entry in declared] == [
        {"octaves": 2, "source": "a.png"},
        {"octaves": 2, "source": "b.png"},
        {"octaves": 1, "source": "a.png"},
        {"octaves": 1, "source": "b.png"},
    ]
    assert entries.label(declared[0].swept) == "octaves=2, source=a.png"
    assert entries.label({}) == "the only run"


def test_pictures_of_the_same_name(request_of, tmp_path):
    """The whole path distinguishes them."""
    (tmp_path / "a.png").rename(tmp_path / "many" / "b.png")
    declared = entries.declared(request_of("    add()\n", (), ("b.png", "many/b.png", "many/c.png")))
    assert [entry.swept["source"] for entry in declared] == ["b.png", "many/b.png", "c.png"]


def test_an_argument_of_the_config(request_of):
    (tiny, plain) = entries.declared(request_of('    add(arg="tiny")\n    add(arg="tiny=False", seed=4)\n'))
    assert (tiny.config.max_iter, plain.config.max_iter, plain.config.seed) == (6, 200, 4)
    assert (tiny.swept, plain.swept) == ({"arg": "tiny"}, {"arg": "tiny=False", "seed": 4})
    (joined,) = entries.declared(request_of('    add(arg="tiny")\n', arg=":base=novelty"))
    assert "mine.py:base=novelty,tiny" in joined.command


def ids(request: entries.Request) -> list[str]:
    return [entry.id for entry in entries.declared(request)]


def test_ids_depend_only_on_what_is_run(request_of, tmp_path):
    """They do not depend on file names, on the text of the config file, nor on the words of the command."""
    first = ids(request_of("    add(seed=1)\n    add(seed=2)\n"))
    assert first == ids(
        request_of("    add(seed=1, tol=1e-9)\n    add(seed=2, octaves=4)\n")
    )  # the additions are the defaults
    assert first[1:] == ids(request_of("    add()\n", ("--config.seed=2",)))
    (tmp_path / "same.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert first == ids(request_of("    add(seed=1)\n    add(seed=2)\n", sources=("same.png",)))


@pytest.mark.parametrize("change", ["config", "source", "content"])
def test_ids_change_with_what_is_run(change, request_of, tmp_path):
    settings = dict(arg=":base=multiscale_style", contents=("b.png",))
    before = ids(request_of("    add()\n", **settings))
    if change == "config":
        assert before != ids(request_of("    add()\n", ("--config.max_iter=4",), **settings))
        return
    path = tmp_path / ("a.png" if change == "source" else "b.png")
    path.write_bytes(path.read_bytes() + b"\0")
    assert before != ids(request_of("    add()\n", **settings))


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"arg": 3}, "arg=3; give text"),
        ({"init": {"name": "crop"}, "init.deviation": 0.5}, "sets init and also init.deviation"),
        ({"terms.gram.layers": {"pixels": 1j}}, "terms.gram.layers .*of Python's own"),
        ({"init": {"name": "picture", "path": Path("a.png")}}, "init .*of Python's own"),
    ],
)
def test_values_that_add_refuses(changes, pattern, request_of):
    line = repr(changes).replace("PosixPath", "__import__('pathlib').Path")
    with pytest.raises(errors.TexjaxError, match=pattern):
        entries.declared(request_of(f"    add(**{line})\n"))


def test_numbers_of_numpy_become_numbers_of_python(request_of):
    line = "add(tol=np.float64(0.25), octaves=np.int64(3), size=(np.int32(64), 48), init=init)"
    start = "init = dict(name='noise', mean=np.float32(0.5), deviation=0.1)"
    (entry,) = entries.declared(request_of(f"    import numpy as np\n    {start}\n    {line}\n"))
    init = {"name": "noise", "mean": 0.5, "deviation": 0.1}
    assert entry.swept == {"tol": 0.25, "octaves": 3, "size": [64, 48], "init": init}
    check_commands([entry])


def test_shipped_sweeps(request_of):
    for name in configs.names("ablations/*.py"):
        declared = entries.declared(entries.Request(f"{name}:tiny", (), ("many",)))
        assert len({entry.id for entry in declared}) == len(declared) > 1
        check_commands(declared[-1:])
