"""The shipped configs: each loads complete, and its `:tiny` runs from a picture to a picture."""

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.runs import test_resume
from texjax import checks, features, inits, losses, optimizers
from texjax import config as configs
from texjax.runs import inputs, run
from texjax.synthesis import optimize, schedule

ROOT = Path(__file__).parent.parent
# Files, in the folder of test data, for configs that need weights which texjax does not ship.
WEIGHTS = {"snelgrove": "weights/vgg19_notop_block1-3.h5"}
# `texture` with one term more each, or with another one.
VARIANTS = {"autocorrelation", "guided_correspondence", "shifted_gram", "spectrum"}
# These, and configs that take over ten seconds.
SLOW = {"analogies", "cnnmrf", "cnnmrf_transfer", "multiscale_style", "sliced_wasserstein", "snelgrove", *VARIANTS}
# Configs that are killed in every continuous integration, and not in thorough tests alone.
KILLED = {"animation", "random", "snelgrove", "texture"}
ABLATIONS = configs.names("ablations/*.py")
# Keys of every term beside the settings of its loss.
TERM_KEYS = {"name", "weight", "when", "layers", "octave_weights", "group", "rotations", "scales"}


@pytest.fixture
def picture(tmp_path) -> Path:
    """80 x 80 px of stripes that become narrower, so that they do not repeat, with noise."""
    rng = np.random.default_rng(0)
    stripes = 128 + 90 * np.sin((np.arange(80) / 6) ** 1.7)[:, None, None] * np.array([1, 0.5, -0.5])
    pixels = np.clip(stripes + rng.normal(0, 12, (80, 80, 3)), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


def test_there_are_configs():
    assert {"random", "snelgrove", "texture"} <= set(configs.names())


@pytest.mark.parametrize("name", configs.names())
@pytest.mark.parametrize("arg", ["", ":tiny"])
def test_loads(name: str, arg: str):
    config = configs.load(name + arg)
    checks.values(config)
    assert config.is_locked
    for key in (*configs.defaults(), "features", "terms", "init"):
        assert key in config, key
    full = configs.load(name)
    assert config.octaves <= full.octaves
    if arg:
        assert config.max_iter <= 10
        assert max(config.size) <= 80 < min(full.size)


@pytest.mark.parametrize("variant", ["guided", "oriented"])
def test_the_guided_variants_take_an_analogy(variant: str, picture: Path):
    config = configs.load(f"guided_correspondence:tiny,{variant}")
    pictures = inputs.load(config, {"sources": [picture], "content": [picture], "analogy": [picture] * 3})
    (term,) = optimize.check(config, pictures).terms
    assert (term.exemplars.group, config.features.padding) == ("analogy", "reflect")


def keywords(package: ModuleType, name: str) -> set[str]:
    """The names of a function's keywords without the seed, as all seeds are that of the config."""
    parameters = inspect.signature(getattr(package, name)).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY or p.default is not p.empty} - {"seed"}


@pytest.mark.parametrize("name", [*configs.names(), *ABLATIONS])
def test_every_keyword_is_a_key(name: str):
    config = configs.load(name)
    for group, package, further in (("features", features, {"name"}), ("optimizer", optimizers, {"name"})):
        assert set(config[group]) == keywords(package, config[group].name) | further, group
    assert set(config.init) == keywords(inits, config.init.name) | {"name", "group"}
    for term, spec in config.terms.items():
        assert set(spec) == keywords(losses, spec.name) | TERM_KEYS, term


class Tiny(NamedTuple):
    """A run of a config's small variant."""

    config: configs.Config
    pictures: dict[str, list[Path]]
    directory: Path
    result: run.Result


def tiny_run(name: str, picture: Path, folder: Path, request: pytest.FixtureRequest) -> Tiny:
    words = ["--config.checkpoint_steps=1"]
    if name in WEIGHTS:
        words += [f"--config.features.weights={request.getfixturevalue('test_data') / WEIGHTS[name]}"]
    config = configs.load(f"{name}:tiny", words)
    directory = folder / "run"
    directory.mkdir()
    content = folder / "content.png"
    Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(content)
    groups = {"content": [content], "analogy": [content, picture, content]}
    used = {term.group for term in config.terms.values() if term.weight}
    pictures = {"sources": [picture]} | {group: paths for group, paths in groups.items() if group in used}
    return Tiny(config, pictures, directory, run.synthesize(config, pictures, lambda parts: directory))


# The other slow ones run before they are killed, below.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW) + [pytest.mark.thorough] * (n in VARIANTS))
        for n in configs.names()
        if n not in SLOW & KILLED
    ],
)
def test_tiny_runs(name: str, picture: Path, tmp_path: Path, request):
    check_result(tiny_run(name, picture, tmp_path, request))


def check_result(tiny: Tiny) -> None:
    config, _, directory, result = tiny
    assert (result.status, result.steps) == ("finished", schedule.total(config))
    for path in result.paths:
        if path.suffix in (".webp", ".gif"):
            with Image.open(path) as movie:
                assert len(list(ImageSequence.Iterator(movie))) == config.frames > 1
    frames = [path for path in result.paths if path.stem != "animation"]
    assert len(frames) == config.frames
    pixels = np.stack([np.asarray(Image.open(path)) for path in frames])
    assert pixels.shape == (config.frames, config.size[1], config.size[0], 3)
    values = [json.loads(line)["loss"] for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert len(values) == schedule.total(config) + 1
    assert values[-1] == pytest.approx(result.loss, rel=1e-5)
    assert values[-1] < values[-config.max_iter]  # at full size
    assert (pixels.std((1, 2, 3)) > 1).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*holds no checkpoint")  # a run that is killed before its first one
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.thorough] * (n not in KILLED)) for n in configs.names()]
)
def test_tiny_has_the_same_bytes_after_every_kill(name: str, picture: Path, tmp_path: Path, request):
    """Kill a run after each of its progress pictures in turn, go on, and compare the bytes of all files."""
    tiny = tiny_run(name, picture, tmp_path, request)
    check_result(tiny)
    config, pictures, whole, _ = tiny
    steps = sorted({int(path.name[1:5]) for path in (whole / "progress").iterdir()})
    for step in steps[1:]:
        where = tmp_path / f"killed_after_{step}"
        where.mkdir()
        with pytest.raises(test_resume.Killed):
            run.synthesize(config, pictures, lambda parts, where=where: where, test_resume.kill_at(step))
        test_resume.go_on(where)
        assert test_resume.files(where) == test_resume.files(whole), step
    print(f"killed {len(steps) - 1} times: lost at most {config.save_every} steps each, identical results")


def constants(tree: ast.AST) -> Iterator[ast.Constant]:
    """All constants but docstrings."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = [body[0].value for body in bodies if body and isinstance(body[0], ast.Expr)]
    return (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in docstrings)


def function_names(tree: ast.AST) -> Iterator[Any]:
    """Constants that stand for the name of a function: `x.name == "y"`, `name="y"` and `{"name": "y"}`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(ast.unparse(side).endswith((".name", "['name']")) for side in sides):
                yield from (part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant))
        elif isinstance(node, ast.keyword) and node.arg == "name" and isinstance(node.value, ast.Constant):
            yield node.value.value
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            is_name = [(isinstance(key, ast.Constant) and key.value == "name", value) for key, value in pairs]
            yield from (value.value for named, value in is_name if named and isinstance(value, ast.Constant))


def loss_names(source: str) -> list[str]:
    """The names of losses that stand in a module.

    A name that is also that of a group of pictures, or the key "mean" of weights, counts only where it is the name of a
    function.
    """
    tree, homonyms = ast.parse(source), {*configs.GROUPS, "mean"}
    names = [node.value for node in constants(tree) if node.value in set(losses.NAMES) - homonyms]
    return names + [name for name in function_names(tree) if name in homonyms & set(losses.NAMES)]


def test_nothing_outside_of_losses_knows_a_loss_by_name():
    """So adding a loss needs no edit elsewhere."""
    modules = [path for path in (ROOT / "texjax").rglob("*.py") if "losses" not in path.relative_to(ROOT).parts]
    assert len(modules) > 50
    named = {str(path.relative_to(ROOT)): loss_names(path.read_text()) for path in modules}
    assert {path: names for path, names in named.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('"""gram"""\ndef f():\n    "mrf"\n    return "gram"\n', ["gram"]),
        ("if term.name == 'mrf': pass", ["mrf"]),
        ("FLAGS = {'tv_weight': ('smoothness',)}", ["smoothness"]),
        ("if term.name in ('content', 'other') or term['name'] != 'mean': pass", ["content", "mean"]),
        ("if group == 'content': mean = weights['mean']", []),
        ("dict(name='analogy', group='analogy')", ["analogy"]),
        ("{'name': 'content', 'group': 'content'}", ["content"]),
        ("'a gram of anything'", []),
    ],
)
def test_names_of_losses_are_found(source: str, names: list[str]):
    assert loss_names(source) == names
