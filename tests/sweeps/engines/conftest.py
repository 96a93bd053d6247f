"""Sweeps of short runs, and `texjax sweep` as a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

CONFIG = """
from texjax.config import load, parse_arg
from texjax.sweeps.grids import over, product

LAYERS = ({"pixels": 1.0}, {"conv1_1": 1.0}, {"pixels": 1.0, "conv1_1": 1.0})

def get_config(arg=None):
    config = load("random:tiny", ["--config.optimizer={'name': 'adam'}", "--config.max_iter=4"])
    with config.unlocked():
        config.features.channels = 4
    return config

def sweep(add):
    for overrides in product(over("terms.gram.layers", LAYERS[:LENGTH]), octaves=(1, 2), seed=range(SEEDS)):
        add(**overrides)
"""
PATIENCE = 400  # seconds, enough for a busy machine
# Tests that a script starts in the background ignore SIGINT, and so would the processes that they start.
AWAKE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
TEXJAX = [sys.executable, "-c", f"{AWAKE}; from texjax.cli import main; main.main()"]


class Place(NamedTuple):
    """A folder with configs of sweeps, `all.py` of 24 runs and 6 programs and `few.py` of 4 runs and 2 programs."""

    folder: Path
    environment: dict[str, str]

    def start(self, config: str, name: str, *words: object, **more: str) -> subprocess.Popen[str]:
        """Start `texjax sweep` with that config, in the sweep directory of that name."""
        command = [*TEXJAX, "sweep", f"{config}.py", "a.png", "--sweep-dir", name, *map(str, words)]
        pipe, environment = subprocess.PIPE, self.environment | more
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True)

    def sweep(self, config: str, name: str, *words: object, **more: str) -> None:
        """Make such a sweep, and check that it succeeds."""
        process = self.start(config, name, *words, **more)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out + err
        assert "failed" not in out and "Traceback" not in err, out + err

    def statuses(self, name: str) -> dict[str, str]:
        """Return the statuses of the runs that have begun, by id."""
        statuses = {}
        for path in self.folder.glob(f"{name}/runs/*/run.json"):
            try:
                statuses[path.parent.name] = json.loads(path.read_text())["status"]
            except FileNotFoundError:  # the run was removed just now, to begin again
                continue
        return statuses

    def ended(self, name: str) -> list[str]:
        return [run for run, status in self.statuses(name).items() if status in ("finished", "converged", "stalled")]

    def pictures(self, name: str) -> dict[str, bytes]:
        """Return the bytes of the results, by id."""
        return {path.parent.name: path.read_bytes() for path in self.folder.glob(f"{name}/runs/*/image.png")}

    def marks(self, name: str) -> dict[str, tuple[int, bytes, int, bytes]]:
        """Return times and contents of the last files of the runs that have ended, by id."""
        marks = {}
        for run in self.ended(name):
            files = [self.folder / name / "runs" / run / file for file in ("run.json", "image.png")]
            marks[run] = tuple(part for file in files for part in (file.stat().st_mtime_ns, file.read_bytes()))
        return marks


def until(condition: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until the condition holds; fail if the process ends before."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture(scope="session")
def waiting() -> Callable[..., None]:
    return until


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    folder = tmp_path_factory.mktemp("sweeps")
    for name, length, seeds in (("all", 3, 4), ("few", 1, 2)):
        text = CONFIG.replace("LENGTH", str(length)).replace("SEEDS", str(seeds))
        (folder / f"{name}.py").write_text(text)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 80, 3), np.uint8)).save(folder / "a.png")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "COV_"))}
    environment |= {"TEXJAX_COMPILATION_CACHE": str(folder / "programs"), "RAY_AUTH_MODE": "disabled"}
    # Ray begins a cluster of its own, where it would else join any of this machine, such as one that just ends.
    environment["RAY_ADDRESS"] = "local"
    return Place(folder, environment)


@pytest.fixture(scope="module")
def expected(place) -> dict[str, bytes]:
    """The pictures of `all.py`, made by a plain loop in this process, without sweep or engine."""
    from texjax.runs import records, run
    from texjax.sweeps import entries

    folder = place.folder / "bare"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.folder)
        for entry in entries.declared(entries.Request("all.py", (), ("a.png",))):
            directory = folder / "runs" / entry.id
            run.synthesize(entry.config, entry.pictures, lambda parts, directory=directory: records.exact(directory))
    return place.pictures("bare")
