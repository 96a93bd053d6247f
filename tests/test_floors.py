"""The architecture: a module imports only from the floors below its own, and the lists of the floors are true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the top. The parts of a tuple may import those that are named after them, and the parts of a set do not know each
# other. A part is a package or a module of texjax; the modules of one package may know each other.
FLOORS: list[tuple[str, ...] | set[str]] = [
    ("experiments",),
    ("cli",),
    {"api", "report", "sweeps"},
    ("runs",),
    {"synthesis", "measures"},
    ("presets", "checks", "config", "settings", "generators", "inits"),
    {"features", "losses", "optimizers"},
    ("images", "pyramid", "moments", "progress", "validate", "shipped", "atomic"),
    ("types", "errors", "interrupts"),
]
LEVEL = {
    name: (floor, place if isinstance(names, tuple) else 0)
    for floor, names in enumerate(FLOORS)
    for place, name in enumerate(names)
}


def part(module: str) -> str:
    """The part of the house a dotted name belongs to: texjax.losses.gram -> losses."""
    names = module.split(".")
    return names[1] if names[0] == "texjax" and len(names) > 1 else names[0]


def modules() -> dict[str, str]:
    """Dotted name -> source of everything that has a floor; a package's name ends in `.__init__`."""
    files = [*ROOT.glob("texjax/**/*.py"), *ROOT.glob("experiments/**/*.py")]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file.read_text() for file in files}


def complaints(module: str, source: str, known: set[str]) -> list[str]:
    """What `module` imports that it must not; `known` are the dotted names of all modules."""
    own, sentences = part(module), []
    if own not in LEVEL and own != "__init__":
        return [f"{module} has no floor in FLOORS"]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets, names = [alias.name for alias in node.names], []
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *filter(None, [node.module])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
            names = [name for name in targets if name not in known and f"{name}.__init__" not in known]
        else:
            continue
        for target in targets:
            if target.split(".")[0] not in ("texjax", "experiments") or target == "texjax":
                continue
            other = part(target)
            if other != own and not LEVEL.get(own, (len(FLOORS), 0)) < LEVEL.get(other, (-1, 0)):
                sentences.append(f"{module} imports {other}, which is not on a floor below")
            if target in names and not module.endswith("__init__"):
                sentences.append(f"{module} imports the name {target} and not its module")
    return sentences


def importers(library: str) -> list[str]:
    pattern = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    return [name for name, source in modules().items() if pattern.search(source)]


def test_every_module_imports_only_from_below():
    known = modules()
    assert [line for name, source in known.items() for line in complaints(name, source, set(known))] == []


def test_every_part_that_is_listed_exists():
    assert {part(name) for name in modules()} - {"__init__"} == set(LEVEL)


def test_contributing_has_the_same_list():
    """Its lines are numbered as the floors are; a set is written with "and", as its parts do not know each other."""
    lines = re.findall(r"^\d+\. (`.*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert len(lines) >= len(FLOORS)
    for line, floor in zip(lines, FLOORS, strict=False):
        names = re.findall(r"`([a-z]+)`", line.partition(":")[0])
        assert (tuple(names) == floor) if isinstance(floor, tuple) else (set(names) == floor), line


@pytest.mark.parametrize(
    ("module", "source", "count"),
    [
        ("texjax.losses.gram", "import jax\nfrom jax import numpy\nfrom texjax import pyramid, types", 0),
        ("texjax.losses.gram", "from texjax.losses import sums\nfrom . import sums", 0),
        ("texjax.losses.gram", "from texjax import features", 1),
        ("texjax.losses.gram", "from ..features import vgg", 1),
        ("texjax.pyramid", "def f():\n    import texjax.cli", 1),
        ("texjax.images.files", "from texjax import pyramid", 0),
        ("texjax.pyramid", "from texjax import images", 1),
        ("texjax.cli", "from texjax.pyramid import blur", 1),
        ("texjax.losses.gram", "from texjax.types import Loss", 1),
        ("texjax.losses.__init__", "from texjax.losses.gram import gram", 0),
        ("texjax.config", "from experiments import exemplars", 1),
        ("texjax.homeless", "", 1),
    ],
)
def test_the_checker_sees_what_is_wrong(module, source, count):
    known = {"texjax.features.__init__", "texjax.features.vgg", "texjax.losses.__init__", "texjax.losses.sums"}
    known |= {"texjax.pyramid", "texjax.types", "texjax.cli", "texjax.images.__init__", "experiments.exemplars"}
    assert len(complaints(module, source, known)) == count


def test_one_file_knows_jaxopt():
    assert len(importers("jaxopt")) == 1


@pytest.mark.parametrize("module", ["texjax", "texjax.config", "texjax.cli.main", "texjax.report.page"])
def test_some_modules_bring_in_no_jax(module: str):
    """So that --help answers at once, and the report's page is written quickly."""
    check = f"import sys, {module}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
