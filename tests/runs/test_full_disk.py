"""A run whose disk is full ends in one sentence, and keeps the newest picture that there was room for."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texjax.runs import archive


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory of that size; skips the test where this process may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/bin/mount").exists() or os.geteuid() != 0, reason="only root may mount a file system")
def test_a_full_disk(tmp_path):
    source = tmp_path / "source.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(source)
    # A progress picture takes 6 to 8 kB, and a checkpoint about 200.
    command = [
        sys.executable,
        "-c",
        "from texjax.cli.main import main; main()",
        "synthesize",
        str(source),
        "--config",
        "random:tiny",
    ]
    command += ["--config.optimizer={'name': 'adam'}", "--config.max_iter=60", "--config.save_every=2"]
    command += ["--config.checkpoint_steps=20", "--config.tol=0.0", "--config.source.flatten=none"]
    with small_disk(tmp_path / "disk", "160k") as disk:
        run = subprocess.run([*command, "--run-dir", str(disk / "run")], capture_output=True, text=True, check=False)
        assert run.returncode == 1
        assert "Traceback" not in run.stderr
        told = run.stderr.strip().splitlines()
        assert "No space left on device" in told[-1] and told[-1].endswith(
            "check its folder, permissions and disk space."
        )
        pictures = sorted((disk / "run" / archive.PROGRESS_FOLDER).glob("I*.png"))
        assert len(pictures) > 3
        for path in pictures:
            with Image.open(path) as picture:
                picture.load()
        assert archive.read(disk / "run", {}).status in ("running", "failed")
