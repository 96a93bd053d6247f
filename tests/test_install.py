"""The wheel, installed into an environment of its own: the shipped configs and weights come along."""

import getpass
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


def call(*words: object, **settings) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of what belongs to it, by uv or by pip, whichever can without downloading."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in ("texjax", "configs", "weights"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.h5", "*.pth"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    builders = [
        ["uv", "build", "--wheel", "--offline", "--python", sys.executable, "--out-dir", out, copy],
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, copy],
    ]
    # hatchling comes from the cache of whoever runs this, which the other tests keep out of.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    environment["HOME"] = str(Path("~" + getpass.getuser()).expanduser())
    said = []
    for words in builders:
        if shutil.which(words[0]):
            done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=environment)
            said.append(done.stderr)
        if wheels := list(out.glob("*.whl")):
            return wheels[0]
    pytest.skip(f"neither uv nor pip can build a wheel without downloading hatchling: {' '.join(said)[-300:]}")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of the commands of a fresh environment, which sees this one's other packages."""
    home = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", home)
    python = home / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    # A path file only adds the folder: an editable install of texjax that lies there stays out of the way.
    site = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


@pytest.fixture
def elsewhere(tmp_path) -> dict:
    """An unrelated folder with a picture, and no way from there to the clone."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {"cwd": tmp_path, "env": environment | {"TEXJAX_COMPILATION_CACHE": "0"}}


def test_what_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"texjax/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.py")}
    shipped |= {f"{path.relative_to(ROOT)}" for path in (ROOT / "texjax" / "templates").iterdir()}
    assert shipped | {"texjax/cli.py", "texjax/weights/vgg19_channel_means.safetensors"} <= names
    assert not [name for name in names if name.startswith(("tests", "experiments", "configs", "weights"))]
    assert sum(item.file_size for item in zipfile.ZipFile(wheel).infolist()) < 10e6


def test_it_is_the_installed_one_that_runs(installed, elsewhere):
    where = call(installed / "python", "-c", "import texjax; print(texjax.__file__)", **elsewhere)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_command_synthesizes(installed, elsewhere):
    out = call(installed / "texjax", "synthesize", "a.png", "--config", "random:tiny", **elsewhere)
    picture = elsewhere["cwd"] / out.splitlines()[-1]
    with Image.open(picture) as opened:
        assert opened.size == (48, 48)
    assert json.loads((picture.parent / "run.json").read_text())["versions"]["texjax"]
    page = call(installed / "texjax", "report", picture.parent, **elsewhere).strip()
    assert "data:image/webp" in (elsewhere["cwd"] / page).read_text()


def test_the_installed_command_finds_what_is_shipped(installed, elsewhere):
    assert "snelgrove" in call(installed / "texjax", "synthesize", "--help", **elsewhere)
    assert str(installed.parent) in call(installed / "texjax", "weights", "list", **elsewhere)
    code = "from texjax.features import normalization; print(len(normalization.shipped_means('vgg19')))"
    assert int(call(installed / "python", "-c", code, **elsewhere)) >= 8


def test_the_installed_command_plans_with_real_weights(installed, elsewhere, test_data):
    weights = test_data / "weights" / "vgg19_notop_block1-3.h5"
    if not weights.is_file():
        pytest.skip(f"{weights} is missing")
    words = ["a.png", "--config", "snelgrove:tiny", "-sw", "96", "--dry-run", "-d", weights]
    # 72 px, valid: pool1 (72 - 4) / 2 = 34; conv3_2 34 -> 30 -> 15 -> 11.
    assert "pool1 34 x 34, conv3_2 11 x 11" in call(installed / "texjax", "synthesize", *words, **elsewhere)
