"""The experiments and benchmarks run from start to end, in small, and their tables hold what was run."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import structure
from texjax.features import native_library

ROOT = Path(__file__).parent.parent
SIDE = 80
NO_SCHEDULE = "schedule.steps=()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with pictures of noise."""
    path = tmp_path_factory.mktemp("experiment")
    for seed, name in enumerate(("source", "other", "third")):
        pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{name}.png")
    return path


def rows(script: str, *words: object) -> list[list[str]]:
    """The cells of the table that a script prints, line by line, without the rule below its head."""
    command = [sys.executable, f"experiments/{script}.py", *map(str, words)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2000:]
    lines = [line for line in process.stdout.splitlines() if line.startswith("|")]
    head, rule, *others = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert set("".join(rule)) == {"-"}
    assert all(len(row) == len(head) == len(rule) for row in others)
    return [head, *others]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "variants"), [("compare_features", 5), pytest.param("starts", 12, marks=pytest.mark.thorough)]
)
def test_a_table_and_a_sheet(script: str, variants: int, folder: Path, random_vgg19: Path):
    output, source = folder / script, folder / "source.png"
    head, *lines = rows(script, random_vgg19, output, source, "--size", SIDE, "--octaves", 2, "--iterations", 2)
    assert head[:4] == ["texture", "variant", "steps", "seconds"]
    assert [row[0] for row in lines] == ["source"] * variants + ["mean"] * variants
    # The means over one texture are its values.
    assert [row[1:] for row in lines[:variants]] == [row[1:] for row in lines[variants:]]
    assert all(float(row[head.index("bands")]) > 0 for row in lines)
    with Image.open(output / "sheet.png") as sheet:
        assert sheet.size == (SIDE * (1 + variants), SIDE)
        np.testing.assert_array_equal(np.asarray(sheet)[:, :SIDE], np.asarray(Image.open(source)))


@pytest.mark.slow
def test_structure(
    folder: Path, random_vgg19: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Two methods of one picture, beside its other crop; the drawn materials would take minutes."""
    monkeypatch.setattr(structure.exemplars, "MATERIALS", {})
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)).save(folder / "large.png")
    words = [
        random_vgg19,
        folder / "structure",
        folder / "large.png",
        "--size",
        SIDE,
        "--octaves",
        2,
        "--iterations",
        2,
    ]
    monkeypatch.setattr(sys, "argv", ["structure", *map(str, words), "--methods", "texture", "quilting"])
    structure.main()
    cells = [line.split("|")[1:4] for line in capsys.readouterr().out.splitlines()[2:]]
    names = ["other crop", "texture", "quilting"]
    assert [[cell.strip() for cell in row][:2] for row in cells] == [
        [place, name] for place in ("large.png", "mean") for name in names
    ]
    with Image.open(folder / "structure" / "sheet.png") as sheet:
        assert sheet.size == (SIDE * 4, SIDE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "pictures", "methods", "columns"),
    [
        ("transfer", ["source", "other", "third"], ["multiscale_style"], 3),
        ("analogy", ["source", "other", "third"], ["analogies"], 4),
        ("synthesize", ["source"], ["texture", "cnnmrf"], 3),
    ],
)
def test_compare_transfer(command: str, pictures: list[str], methods: list[str], columns: int, folder: Path):
    paths, output = [folder / f"{name}.png" for name in pictures], folder / command
    options = ["--size", 72, "--method", *methods, "--set", "max_iter=2", NO_SCHEDULE, "octaves=1"]
    head, *lines = rows("compare_transfer", output, command, *paths, *options)
    assert head == ["run", "steps", "loss", "seconds"]
    styles = {"transfer": pictures[1:], "analogy": ["third-other"], "synthesize": pictures}[command]
    prefix = "source-" if command == "transfer" else ""
    assert [row[0] for row in lines] == [f"{command}-{m}-{prefix}{style}" for style in styles for m in methods]
    assert [row[1] for row in lines] == ["2"] * len(lines)
    assert all((output / row[0] / "image.png").exists() for row in lines)
    with Image.open(output / f"{command}-source.png") as sheet:
        assert sheet.size == (72 * columns, 72 * len(styles))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words", "labels"),
    [
        ("loops", ["VGG19", "--size", 80, "--octaves", 2, "--repeats", 1], ["bare", "scan", "while", "map"]),
        ("compiling", ["VGG19", "--size", 48, "--octaves", 1, "--repeats", 1], ["first", "second"]),
        (
            "networks",
            ["VGG19", "--size", 64, "--octaves", 2, "--rounds", 1],
            ["VGG-19", "compact", "compact, layers of VGG-19's", "random"],
        ),
        (
            "profile_iteration",
            ["snelgrove", "--weights", "VGG19", "--size", 48, "--octaves", 1, "--repeats", 1, "--backend", "xla"],
            [
                "network",
                "network and its gradient",
                "value",
                "value and gradient",
                "iteration",
                "plain matrix product",
            ],
        ),
        (
            "front_door",
            ["--size", 72, "--octaves", 2, "--iterations", 3, "--repeats", 1],
            ["texjax.synthesize", "command's loop"],
        ),
        ("sweeping", ["SOURCE", "--runs", 2, "--repeats", 1], ["bare loop", "sweep"]),
    ],
)
def test_benchmark(script: str, words: list, labels: list[str], folder: Path, random_vgg19: Path):
    files = {"VGG19": random_vgg19, "SOURCE": folder / "source.png"}
    _, *lines = rows(f"bench/{script}", *(files.get(word, word) for word in words))
    assert [row[0] for row in lines] == labels
    assert all(float(cell) > 0 for row in lines for cell in row[1:] if cell)


@pytest.mark.slow
@pytest.mark.skipif(isinstance(native_library.load(), str), reason=str(native_library.load()))
def test_benchmark_of_backends():
    """The error of the gradient: of float32, and of the 8 bits of bfloat16."""
    _, *lines = rows("bench/backends", "--sizes", 64, "--paddings", "circular", "--repeats", 1)
    by_backend = {row[3]: row for row in lines}
    assert list(by_backend)[:3] == ["xla float32", "onednn float32", "onednn bf16"]
    assert all(row[:3] == ["compact", "64", "circular"] and float(row[4]) > 0 for row in lines)
    assert float(by_backend["onednn float32"][-1]) < 1e-5 < float(by_backend["onednn bf16"][-1]) < 0.1


@pytest.mark.slow
def test_benchmark_of_tiles():
    _, *lines = rows("bench/tiling", "--sizes", 96, "--tiles", 0, 88, "--octaves", 1, "--repeats", 1)
    assert [row[:2] for row in lines] == [["96", "none"], ["96", "88"]]
    assert all(float(cell) > 0 for row in lines for cell in row[2:])


@pytest.mark.slow
def test_benchmark_of_optimizers(folder: Path, random_vgg19: Path):
    options = ["--size", 48, "--octaves", 1, "--steps", 30, "--runs", "lbfgs penalty", "adam clip"]
    head, *lines = rows("bench/optimizers", random_vgg19, folder / "source.png", *options)
    assert [row[:2] for row in lines] == [
        ["source", run] for run in ("SciPy", "SciPy, moved", "lbfgs penalty", "adam clip")
    ]
    ratios = [float(row[head.index("over SciPy")]) for row in lines]
    assert ratios[0] == 1 and 0.5 < ratios[1] < 2 and min(ratios) > 0


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the extra `bench` is not installed")
def test_benchmarks_against_torch(folder: Path, test_data: Path):
    weights, source = test_data / "weights" / "vgg19_notop_block1-3.h5", folder / "source.png"
    _, *lines = rows("bench/matching", "--side", 16, "--channels", 8, "--copies", 2, "--repeats", 1)
    assert [row[0] for row in lines][-1] == "value and gradient, PyTorch"
    options = ["--size", 64, "--octaves", 1, "--iterations", 3]
    recipe = f"texture --config.max_iter=2 --config.{NO_SCHEDULE}"
    _, *lines = rows("bench/time_to_quality", weights, folder / "quality", source, *options, "--recipe", recipe)
    assert [row[:2] for row in lines] == [["source", name] for name in ("reference", "reference in bf16", recipe)]
    for words in (
        ["against_torch", weights, "--size", 64, "--octaves", 1, "--repeats", 1],
        ["against_scipy", weights, source, folder / "scipy", "--size", 64, "--width", 64, "--octaves", 1, "--steps", 2],
    ):
        command = [sys.executable, f"experiments/bench/{words[0]}.py", *map(str, words[1:])]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-2000:]
        assert "loss" in process.stdout
