"""The architecture: a module imports only from the floors below its own."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [  # from the top; those on one floor do not know each other, a package's own modules do
    {"experiments"},
    {"cli"},
    {"transfer_command", "sweep_command", "report_command"},
    {"display"},
    {"sweep", "report", "report_server", "report_board", "measured", "weights", "plan", "measure_command", "flags"},
    {"entries", "engines", "report_data"},
    {"run"},
    {"pictures"},
    {"records", "schedule", "assembly", "jitter"},
    {"synthesis"},
    {"objective", "tiling", "measures"},
    {"losses", "features", "optimizers", "inits", "colors"},
    {"thumbnails"},
    {"pyramid", "images", "movies", "copies", "checks", "presets"},
    {"archive", "grids", "programs", "decoding"},
    {"config", "atomic", "profiles"},
    {"types", "errors"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


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
    own, found = part(module), []
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
            if target.split(".")[0] not in ("texjax", "experiments"):
                continue
            other = part(target)
            if other != own and not LEVEL.get(own, len(FLOORS)) < LEVEL.get(other, -1):
                found.append(f"{module} imports {other}, which is not on a floor below")
            if target in names and not module.endswith("__init__"):
                found.append(f"{module} imports the name {target} and not its module")
    return found


def importers(library: str) -> list[str]:
    pattern = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    return [name for name, source in modules().items() if pattern.search(source)]


def test_every_module_imports_only_from_below():
    known = modules()
    assert [line for name, source in known.items() for line in complaints(name, source, set(known))] == []


@pytest.mark.parametrize(
    ("module", "source", "count"),
    [
        ("texjax.losses.gram", "import jax\nfrom jax import numpy\nfrom texjax import pyramid, types", 0),
        ("texjax.losses.gram", "from texjax.losses import sums\nfrom . import sums", 0),
        ("texjax.losses.gram", "from texjax import features", 1),
        ("texjax.losses.gram", "from ..features import vgg", 1),
        ("texjax.pyramid", "def f():\n    import texjax.cli", 1),
        ("texjax.images", "from texjax import pyramid", 1),
        ("texjax.cli", "from texjax.pyramid import blur", 1),
        ("texjax.losses.gram", "from texjax.types import Loss", 1),
        ("texjax.losses.__init__", "from texjax.losses.gram import gram", 0),
        ("texjax.config", "from experiments import exemplars", 1),
        ("texjax.homeless", "", 1),
    ],
)
def test_the_checker_sees_what_is_wrong(module, source, count):
    known = {"texjax.features.__init__", "texjax.features.vgg", "texjax.losses.__init__", "texjax.losses.sums"}
    known |= {"texjax.pyramid", "texjax.types", "texjax.cli", "experiments.exemplars"}
    assert len(complaints(module, source, known)) == count


def test_one_file_knows_jaxopt():
    assert len(importers("jaxopt")) == 1


def test_config_brings_in_no_jax():
    check = "import sys, texjax.config; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
