"""Every flag of subjective-functions, run, by what it is documented to do: sizes, files, and losses worked out by hand.

The start is gray throughout, and the source a checkerboard, whose next octaves are gray too. With p the mean square of
a gray picture, each of the nine entries of the Gram matrix F'F / P is p, so the first loss is 9 sum_o (t_o - p)^2.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from texjax import features
from texjax.cli import main
from texjax.features.weights import files
from texjax.runs import records

START, LOW, HIGH = 51, 96, 160
TINY = """
from ml_collections import ConfigDict
from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg, config = parse_arg(arg, novelty=False, vgg=False), defaults()
    config.update(size=(24, 16), octaves=2, max_iter=4, save_every=1)
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name="random", size=3, channels=4, padding="circular"))
    layers = dict(pixels=1.0)
    config.terms = ConfigDict(dict(gram=dict(name="gram", layers=layers, normalization="pixels")))
    config.init = ConfigDict(dict(name="picture", path="start.png"))
    config.optimizer = ConfigDict(dict(name="adam", learning_rate=0.001, range="none"))  # quickest to compile
    if arg.novelty:
        config.frames = 2
        config.terms = ConfigDict(dict(novelty=dict(name="novelty", layers=layers)))
    if arg.vgg:
        config.features = ConfigDict(dict(name="vgg19", weights="", padding="same", normalize=False))
    return config
"""


class Run(NamedTuple):
    """What a run printed and left: its directory, if any."""

    out: str
    where: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.where / "metrics.jsonl").read_text().splitlines()]

    def read(self, name: str) -> Any:
        return json.loads((self.where / name).read_text())

    def table(self, row: str) -> str:
        """What a dry run says of something."""
        return next(" ".join(line.split()[len(row.split()) :]) for line in self.out.splitlines() if row in line)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder to work in: sources, start, config and weights. No curve is drawn, which takes half of a short run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "write_curve", lambda directory, lines: None)
    rows, columns = np.indices((16, 24))
    checks = np.where((rows + columns) % 2, HIGH, LOW).astype(np.uint8)
    for name, levels in {"source": checks, "half": checks // 2, "start": np.full_like(checks, START)}.items():
        Image.fromarray(levels).convert("RGB").save(f"{name}.png")
    Path("many", "deeper").mkdir(parents=True)
    for name in ("many/a.png", "many/b.jpg", "many/deeper/c.png"):
        Image.fromarray(checks).save(name)
    Path("many/notes.txt").write_text("no picture")
    Path("tiny.py").write_text(TINY)
    Path("model").mkdir()
    layer = {"kernel": np.ones((3, 3, 3, 2), np.float32), "bias": np.zeros(2, np.float32)}
    about = {"network": "vgg19", "preprocessing": "caffe"}
    files.write(Path("model/vgg19.safetensors"), {"mean": np.zeros(3, np.float32), "conv1_1": layer}, about)
    return tmp_path


def call(capsys, folder: Path, words: str) -> Run:
    """Run the command, which has to end well."""
    given = words.split()
    given += [] if "-s" in given or "--source" in given else ["--source", "source.png"]
    given += [] if "--config" in given else ["--config", "tiny.py"]
    with pytest.raises(SystemExit) as end:
        main.main(["synthesize", *given])
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return Run(out, next((path.parent for path in folder.rglob("run.json")), folder))


def gram(target: float = 1.0, octaves: int = 2) -> float:
    """The first loss, for a target times a number: the checkerboard's mean square, and on, that of its mean."""
    squares = [(LOW**2 + HIGH**2) / 2, *[((LOW + HIGH) / 2) ** 2] * (octaves - 1)]
    return sum(9 * (target * square / 255**2 - (START / 255) ** 2) ** 2 for square in squares)


def filtered() -> float:
    """The first loss of layer conv1_1. Filters have no mean, so that they see no gray, and the checkerboard as checks.

    A filter's output there is the sum of its entries with alternating signs, times half the contrast, on one half of
    the pixels, and cut off by the ReLU on the other.
    """
    signs = (-1.0) ** np.indices((3, 3)).sum(0)
    kernel = np.asarray(features.random(size=3, channels=4, seed=0).weights["conv1_1"], np.float64)
    response = (HIGH - LOW) / 2 / 255 * np.einsum("hw,hwio->o", signs, kernel)
    halves = np.stack([np.maximum(response, 0), np.maximum(-response, 0)])
    return float((((halves.T @ halves) / 2) ** 2).sum())


# The product of the gray frames' Gram matrices F'F / P / C, 9 entries; see `novelty`.
PRODUCT = 9 * ((START / 255) ** 2 / 3) ** 2


def novelty(rows: int) -> float:
    """sum_ij (K - I)^2 of K [rows, rows] all of one product."""
    return rows * (PRODUCT - 1) ** 2 + rows * (rows - 1) * PRODUCT**2


def size(run: Run) -> tuple[int, int]:
    with Image.open(run.where / "image.png") as picture:
        return picture.size


def first(run: Run) -> float:
    return run.lines()[0]["loss"]


def tied(run: Run) -> list[float]:
    """The first loss between frames."""
    return [share for term, share in run.lines()[0]["terms"].items() if term.startswith("inter_frame")]


def pictures(run: Run) -> int:
    return len(list(run.where.glob("image*.png")))


def steps(run: Run) -> list[str]:
    return sorted(path.name for path in (run.where / "progress").iterdir())


def start(run: Run) -> np.ndarray:
    with Image.open(run.where / "progress" / "I0000_F0000.png") as picture:
        return np.asarray(picture.convert("RGB"), float)


def likeness(run: Run) -> float:
    """Correlation of the start with its mirror image."""
    levels = start(run)[..., 0]
    return float(np.corrcoef(levels.ravel(), levels[::-1].ravel())[0, 1])


def near(x: Any) -> Any:
    return pytest.approx(x, rel=1e-4)


def about(x: float) -> Any:
    """For a target that is off by the joins' regularization, a thousandth of an eigenvalue."""
    return pytest.approx(x, rel=0.02)


NOTHING = pytest.approx(0, abs=1e-4)
TWO = " -s source.png half.png"  # half as bright: Gram matrices of 1 and 1/4
# The checkerboard moved by one pixel differs from itself by HIGH - LOW = 64 levels everywhere, moved by two not at all.
# Frames that are all the same are at 0, and lose the sum over s of (64 s)^2: 5 x 64^2 of orders 1 and 2.
ANIMATE = " -c 4"
# What a flag is followed by (the short form, where there is one, and the long), what is looked at, what is expected.
ROWS: list[tuple[str, str, str, Callable[[Run], Any], Any]] = [
    ("-m", "--max-iter", "2", lambda run: len(run.lines()), 3),
    ("-op", "--output-prefix", "rock", lambda run: run.where.name, "rock.Lpixels.o2.24x16"),
    ("", "--output-dir", "there", lambda run: run.where.parent.name, "there"),
    ("", "--tol", "0.9", lambda run: (run.read("run.json")["status"], len(run.lines())), ("converged", 2)),
    ("", "--seed", "random", lambda run: (start(run).mean(), start(run).std()), pytest.approx((10, 1.04), abs=0.15)),
    ("-s", "--source", "many half.png", lambda run: len(run.read("run.json")["sources"]), 3),
    ("-n", "--save-every", "2", steps, [f"I{step:04d}_F0000.png" for step in (0, 2, 4)]),
    ("-ow", "--output-width", "20", size, (20, 20)),
    ("-oh", "--output-height", "20", size, (24, 20)),
    ("-o", "--octaves", "3", first, near(gram(octaves=3))),
    ("-l", "--layers", "0", first, near(filtered())),
    ("", "--mul", "1.5", first, near(gram(1.5))),
    ("-c", "--count", "3", pictures, 3),
    ("", "--seed", "symmetric -ow 160 -m 1", likeness, pytest.approx(2 / 3, abs=0.3)),
    ("-ss", "--source-scale", "0.5 --dry-run", lambda run: run.table("source source.png"), "12 x 8 px"),
    ("-sw", "--source-width", "36 -ss 0.5 --dry-run", lambda run: run.table("source source.png"), "36 x 24 px"),
    # An unpadded filter of 3 takes a pixel off each side; 16 px are floor((16 - 5) / 2) + 1 = 6 in the next octave.
    *(
        (
            "-p",
            "--padding-mode",
            f"{mode} -l 0 --dry-run",
            lambda run: [run.table(f"octave {i}") for i in (0, 1)],
            sizes,
        )
        for mode, sizes in {
            "valid": ["24 x 16 px: conv1_1 22 x 14", "10 x 6 px: conv1_1 8 x 4"],
            "same": ["24 x 16 px: conv1_1 24 x 16", "12 x 8 px: conv1_1 12 x 8"],
        }.items()
    ),
    # One layer of 3 x 3 x 3 x 2 numbers and two more, and a mean color.
    (
        "-d",
        "--data-dir",
        "model -l 0 --config tiny.py:vgg --dry-run",
        lambda run: run.table("network"),
        "vgg19, 59 parameters",
    ),
    ("-j", "--join-mode", "average" + TWO, first, near(gram(5 / 8))),
    ("-j", "--join-mode", "max" + TWO, first, near(gram(1))),
    ("-j", "--join-mode", "log_euclidean" + TWO, first, about(gram(1 / 2))),
    ("-j", "--join-mode", "affine_invariant" + TWO, first, about(gram(1 / 2))),
    ("-j", "--join-mode", "riemann" + TWO, first, about(gram(1 / 2))),
    ("", "--if-weight", "0.5" + ANIMATE, lambda run: (pictures(run), *tied(run)), (4, near(0.5 * 5 * 64**2))),
    ("", "--if-shift", "2" + ANIMATE, tied, [NOTHING]),
    ("", "--if-shift", "1.25" + ANIMATE, tied, [near(5 * (0.75 * 64) ** 2)]),
    ("", "--if-order", "3" + ANIMATE, tied, [near((1 + 4 + 9) * 64**2)]),
    ("", "--if-distance-type", "l2" + ANIMATE, tied, [near(5 * 64**2)]),
    ("", "--if-distance-type", "lap1" + ANIMATE, tied, [near(5 * (2 * 64) ** 2)]),  # all detail, and doubled
    ("", "--if-octaves", "2" + ANIMATE, tied, [near(5 * 64**2)]),  # the coarser octave is gray and adds nothing
    ("-os", "--octave-step", "2 --config tiny.py:novelty", first, near(novelty(2))),
    ("", "--internal", "--config tiny.py:novelty", first, near(novelty(4))),
]


@pytest.mark.parametrize(("short", "long", "words", "seen", "expected"), ROWS, ids=[f"{r[1]} {r[2]}" for r in ROWS])
def test_a_flag_does_what_it_says(short, long, words, seen, expected, folder, capsys):
    parse = main._parser().parse_args
    if short:
        assert parse(["synthesize", long, *words.split()]) == parse(["synthesize", short, *words.split()])
    assert seen(call(capsys, folder, f"{short or long} {words}")) == expected


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("--octave-step 0 --config tiny.py:novelty", "octave_step is 0; give a whole number from 1"),
        ("--octave-step 1.5 --config tiny.py:novelty", "'1.5'"),
        ("--octave-step 2", "--octave-step sets terms with the setting 'octave_step', and this config has none"),
        ("--internal", "--internal sets terms with the setting 'internal', and this config has none"),
        ("-d model", "features 'random' read no weights"),
    ],
)
def test_a_flag_that_cannot_be(words, key, folder, capsys):
    """Most of them are in `test_bad_input`."""
    with pytest.raises(SystemExit) as end:
        main.main(["synthesize", "source.png", "--config", "tiny.py", "--output-dir", "out", *words.split()])
    sentence = capsys.readouterr().err
    assert (end.value.code, sentence.count("\n"), key in sentence) == (2, 1, True), sentence
    assert not Path("out").exists()
