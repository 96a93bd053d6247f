"""What README.md says can be done: its Python code runs, its commands parse, and its links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import exemplars
from texjax import config as configs
from texjax import images
from texjax.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "experiments/README.md")]
# Before the code: every config is its tiny variant, with what compiles quickly, and weights/ is a folder of the test.
PREAMBLE = """
from pathlib import Path
from texjax import config
from texjax.features.weights import catalog
load = config.load
quick = {"schedule.steps": (), "optimizer": {"name": "adam"}}
config.load = lambda spec: config.overridden(load(f"{spec}{',' if ':' in spec else ':'}tiny"), quick)
catalog.project_folder = lambda: Path("weights")
"""
# After it: what the comments in the code promise.
CHECKS = """
assert image.shape == (72, 72, 3) and images.shape == (4, 72, 72, 3)
assert now.step == 6
assert restyled.shape == negative.shape == (72, 72, 3)
assert maps["conv1_1"].shape == (70, 70, 64) and loss.shape == () and len(octaves) == 4
"""


def code(language: str, section: str = "") -> str:
    """All code blocks of a language, those of one section or all."""
    text = re.split(rf"^## {section}$", README, flags=re.MULTILINE)[1].split("\n## ")[0] if section else README
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.slow
def test_the_python_code_runs(tmp_path: Path, random_vgg19: Path):
    (tmp_path / "demo").mkdir()
    for name in ("pebbles", "bark"):
        images.save(tmp_path / "demo" / f"{name}.png", exemplars.MATERIALS[name](72, 0))
    (tmp_path / "weights").mkdir()
    shutil.copy(ROOT / "weights" / "compact.safetensors", tmp_path / "weights")
    shutil.copy(random_vgg19, tmp_path / "weights" / "vgg19.safetensors")
    text = code("python", "In Python")
    assert text.count("size=(512, 512)") == 1
    script = PREAMBLE + text.replace("size=(512, 512)", "size=(72, 72)") + CHECKS
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "color_distance" in done.stdout and images.load(tmp_path / "new.png").shape == (72, 72, 3)


COMMANDS = [line for line in code("sh").splitlines() if line.startswith("texjax ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_parses(line: str):
    flags, overrides = main._split(shlex.split(line, comments=True)[1:])
    args = main._parser().parse_args(flags)
    assert args.overridable or not overrides
    if hasattr(args, "config") and args.config:
        configs.load(args.config, overrides)


def test_there_are_commands():
    assert len(COMMANDS) > 10


def test_keys_of_the_table_exist():
    """`terms.*.key` is a key of some term, in any of the shipped configs."""
    known = set()
    for name in configs.names():
        known |= {re.sub(r"^terms\.\w+", "terms.*", key) for key in configs._keys(configs.load(name))}
    rows = [line.split("|")[1] for line in README.splitlines() if re.match(r"\| `(size|[a-z]+\.|batch_mode)", line)]
    assert len(rows) > 15
    for row in rows:
        group = ""
        for key in re.findall(r"`([a-z_.*]+)`", row.split(" of ")[0]):
            group = key.rpartition(".")[0] or group
            full = f"{group}{key}" if key.startswith(".") else key
            assert full in known or full == "init.path", f"{full} in the row {row}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
