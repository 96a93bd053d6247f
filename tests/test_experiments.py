"""The comparing experiments run from start to end, in small, and their tables hold what was run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SIDE = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With a picture."""
    path = tmp_path_factory.mktemp("experiment")
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(path / "source.png")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "variants"), [("octaves_layers", 4), ("compare_features", 5), ("paddings", 4), ("starts", 8)]
)
def test_a_table_and_a_sheet(script: str, variants: int, folder: Path, random_vgg19: Path):
    words = [random_vgg19, folder / script, folder / "source.png", "--size", SIDE, "--octaves", 2]
    command = [sys.executable, f"experiments/{script}.py", *map(str, words), "--iterations", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    head, rule, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    assert set(rule) == {"---"} and head[:4] == ["texture", "variant", "steps", "seconds"]
    assert [row[0] for row in rows] == ["source"] * variants + ["mean"] * variants
    assert [row[1:] for row in rows[:variants]] == [row[1:] for row in rows[variants:]]  # means of one texture
    assert all(len(row) == len(head) and float(row[head.index("bands")]) > 0 for row in rows)
    with Image.open(folder / script / "sheet.png") as sheet:
        assert sheet.size == (SIDE * (1 + variants), SIDE)
        np.testing.assert_array_equal(np.asarray(sheet)[:, :SIDE], np.asarray(Image.open(folder / "source.png")))
