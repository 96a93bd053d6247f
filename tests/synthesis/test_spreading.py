"""Eight devices compute what one does, say to each other what they have to, and take a part of the memory each."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.synthesis import devices

SCRIPT = """
import json, re
import jax, jax.numpy as jnp, numpy as np
from texjax import config as configs
from texjax.synthesis import build, optimize

SOURCES = {"sources": [np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)]}
COLLECTIVES = ("all-gather", "all-reduce", "collective-permute", "all-to-all")

def config(devices, **keys):
    keys = {"features.backend": "xla", "save_every": 3, "max_iter": 3, "schedule.steps": (), "devices": devices} | keys
    return configs.overridden(configs.load("texture:tiny"), keys)

def program(config):
    parts, (width, height) = build.parts(config), config.size
    args = parts.extractor.weights, optimize.targets(parts, config.octaves, SOURCES)
    images, keys = jnp.zeros((config.count, 1, height, width, 3)), jax.random.split(jax.random.key(0), config.count)
    state = parts.program.empty(images, keys, *args)
    compiled = parts.program.run.lower(images, state, keys, True, 0, 0, *args).compile()
    memory, text = compiled.memory_analysis(), compiled.as_text()
    words = {name: len(re.findall(rf"= [^ ]+ {name}(?:-start)?[(]", text)) for name in COLLECTIVES}
    return {"words": words, "memory": memory.argument_size_in_bytes + memory.temp_size_in_bytes}

results = {}
for name, keys in {"outputs": {"count": 16, "size": (48, 48)}, "rows": {"size": (64, 128)}}.items():
    pictures = [list(optimize.prepare(config(d, **keys), SOURCES).iterates)[-1].images for d in ("one", "all")]
    difference = float(np.abs(pictures[0] - pictures[1]).max())
    results[name] = {"difference": difference, **program(config("all", **keys))}
results["large"] = [program(config(d, size=(512, 512)))["memory"] for d in ("one", "all")]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results() -> Any:
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    process = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout)


@pytest.mark.slow
def test_outputs_are_the_same_and_need_no_words(results):
    assert results["outputs"]["difference"] == 0
    assert set(results["outputs"]["words"].values()) == {0}


@pytest.mark.slow
def test_rows_are_exchanged_with_neighbors_alone(results):
    assert results["rows"]["difference"] < 1e-5
    words = results["rows"]["words"]
    assert words["collective-permute"] > 0 and words["all-reduce"] > 0
    assert words["all-gather"] == words["all-to-all"] == 0


@pytest.mark.slow
def test_each_device_takes_a_part_of_the_memory(results):
    one, each = results["large"]
    assert each < one / 5


def start(number: int | None, words: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a synthesis as one process of two, or on its own, with two devices."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    if number is not None:
        environment |= {"JAX_COORDINATOR_ADDRESS": "localhost:12421", "JAX_NUM_PROCESSES": "2"}
        environment |= {"JAX_PROCESS_ID": str(number)}
    code = "from texjax.cli import main; main.main()"
    command = [sys.executable, "-c", code, "synthesize", str(folder / "a.png"), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
def test_two_processes_make_one_run(tmp_path):
    """The first process writes the run, whose picture is that of one process up to rounding."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    words = ["--config", "random:tiny", "-ow", "64", "--config.optimizer={'name': 'adam'}"]
    together = [
        start(number, [*words, "--config.devices=all", "--run-dir", f"run{number}"], tmp_path) for number in (0, 1)
    ]
    alone = start(None, [*words, "--run-dir", "alone"], tmp_path)
    for process in (*together, alone):
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, out + err
    assert not (tmp_path / "run1").exists()
    assert json.loads((tmp_path / "run0" / "run.json").read_text())["status"] == "finished"
    got, want = (np.asarray(Image.open(tmp_path / run / "image.png")).astype(int) for run in ("run0", "alone"))
    assert np.abs(got - want).max() <= 1


def test_a_part_of_the_variables_is_refused(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "localhost:1")
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    devices.join(config())
    with pytest.raises(errors.TexjaxError, match="JAX_NUM_PROCESSES and JAX_PROCESS_ID to numbers"):
        devices.join(config(devices="all"))


def config(**keys: Any) -> Any:
    return configs.overridden(configs.load("texture:tiny"), keys)


@pytest.fixture
def four(monkeypatch) -> None:
    """As if there were four devices; nothing runs on them."""
    monkeypatch.setattr(jax, "devices", lambda: [jax.local_devices()[0]] * 4)
    monkeypatch.setattr(jax, "make_mesh", lambda shape, *_, **__: jax.sharding.AbstractMesh(shape, ("devices",)))


def test_one_device_spreads_nothing():
    assert devices.layout(config(count=2)) is None
    assert devices.layout(config(count=2, devices="all")) is None or len(jax.devices()) > 1


@pytest.mark.parametrize(
    ("count", "height", "size", "by_rows"), [(6, 48, 3, False), (1, 50, 2, True), (8, 48, 4, False)]
)
def test_as_many_devices_take_part_as_divide_the_work(count, height, size, by_rows, four):
    layout = devices.layout(config(count=count, size=(48, height), devices="all"))
    assert layout is not None and (layout.mesh.size, layout.by_rows) == (size, by_rows)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"devices": "every"}, "unknown value of devices 'every'"),
        ({"devices": "all", "tile": 64}, "tile is 64, and the rows of one picture are spread over 4 devices"),
        ({"devices": "all", "features.backend": "onednn"}, "give --config.features.backend=xla"),
    ],
)
def test_what_cannot_be_spread_is_refused(keys, words, four):
    with pytest.raises(errors.TexjaxError, match=words):
        devices.layout(config(**keys))
