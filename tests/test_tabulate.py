"""Tables and contact sheets of a sweep directory that is written by hand: means and spreads against NumPy's."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments import contact_sheet, tabulate
from texjax import config as configs
from texjax import errors

# Measures without a network.
PIXEL = ("wavelet_kl", "displacement_score", "color_distance", "seam", "bands", "axial", "periodicity")


def picture(path: Path, side: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path)


class Folder:
    """A sweep directory that is written run by run, with one source."""

    def __init__(self, path: Path):
        self.path, self.lines = path, []
        (path / "runs").mkdir(parents=True)
        picture(path / "source.png", 64, 0)

    def declare(self, **swept: Any) -> Path:
        """Declare one more run, which has not begun, and return its directory."""
        name = f"run{len(self.lines):02}"
        self.lines.append({"id": name, "swept": swept, "command": "texjax synthesize"})
        text = json.dumps({"version": 1, "config": "own", "runs": self.lines})
        (self.path / "sweep.json").write_text(text)
        return self.path / "runs" / name

    def add(self, *, status: str = "finished", side: int = 64, changes: Any = (), measured: bool = True, **swept: Any):
        """Add a run whose measures are drawn at random; return these with its seconds and its last loss."""
        directory, seed = self.declare(**swept), len(self.lines)
        values = dict(zip(PIXEL, np.random.default_rng(seed).random(len(PIXEL)).tolist(), strict=True))
        directory.mkdir()
        picture(directory / "image.png", side, seed)
        config = configs.overridden(configs.load("texture:tiny"), dict(changes))
        (directory / "config.json").write_text(json.dumps(config.to_dict()))
        record = {"status": status, "seconds": 1.5 * seed, "source_paths": [str(self.path / "source.png")]}
        record |= {"error": "too small."} if status == "failed" else {}
        (directory / "run.json").write_text(json.dumps(record))
        lines = [{"step": 0, "loss": 7.0}, {"step": 1, "loss": [float(seed), seed + 1.0]}]
        (directory / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if measured:
            # The file is newer than the picture, so that the run is not measured again.
            (directory / "measures.json").write_text(json.dumps(values))
        return values | {"seconds": 1.5 * seed, "loss": seed + 0.5}


@pytest.fixture
def sweep(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "sweep")


def printed(capsys) -> tuple[list[list[str]], list[str]]:
    """The cells of the printed table without the rule below its head, and the lines on standard error."""
    out, err = capsys.readouterr()
    head, rule, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()]
    assert rule == ["---"] * len(head)
    return [head, *rows], err.splitlines()


def test_means_and_spreads(sweep: Folder, tmp_path: Path, capsys):
    names = ["seconds", "loss", *PIXEL]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {}
    for layers, octaves in (
        ({"pool1": 1.0, "conv3_2": 0.5}, 1),
        ({"pool1": 1.0, "conv3_2": 0.5}, 2),
        ({"pixels": 1.0}, 2),
    ):
        key = (", ".join(f"{k}={v}" for k, v in layers.items()), str(octaves))
        for seed, source in ((0, "a.png"), (1, "a.png"), (0, "b.png")):
            swept = {"terms.gram.layers": layers, "octaves": octaves, "seed": seed, "source": source}
            runs.setdefault(key, []).append(sweep.add(**swept))
    alone = sweep.add(octaves=5)
    tabulate.main([str(sweep.path), "--measures", *names, "--csv", str(tmp_path / "table.csv")])
    (head, *rows), sentences = printed(capsys)
    assert sentences == []
    assert head == ["terms.gram.layers", "octaves", "runs", *names]
    assert [tuple(row[:3]) for row in rows] == [(*key, "3") for key in runs] + [("", "5", "1")]
    with open(tmp_path / "table.csv", newline="") as file:
        table = list(csv.DictReader(file))
    for row, line, values_of_runs in zip(rows, table, runs.values(), strict=False):
        for name, cell in zip(names, row[3:], strict=True):
            numbers = np.array([values[name] for values in values_of_runs])
            mean, spread = numbers.mean(), np.sqrt(((numbers - numbers.mean()) ** 2).sum() / 2)
            assert cell == f"{mean:.3g} ± {spread:.3g}"
            assert [float(line[name]), float(line[f"{name} spread"])] == pytest.approx([mean, spread], rel=1e-9)
    assert rows[-1][3:] == [f"{alone[name]:.3g}" for name in names]  # one run has no spread
    assert (float(table[-1]["bands"]), table[-1]["bands spread"], table[-1]["runs"]) == (alone["bands"], "", "1")


def test_rows_by_chosen_keys(sweep: Folder, capsys):
    """A key may be one that only some runs sweep, while the others have it in their config, or that none sweeps."""
    values = [
        sweep.add(octaves=2, seed=0, changes={"max_iter": 3}),
        sweep.add(seed=1, changes={"max_iter": 3, "octaves": 2}),
        sweep.add(octaves=1, seed=0, changes={"max_iter": 4}),
    ]
    for by, groups in (
        ("octaves", {"2": [0, 1], "1": [2]}),
        ("max_iter", {"3": [0, 1], "4": [2]}),
        ("seed", {"0": [0, 2], "1": [1]}),
    ):
        tabulate.main([str(sweep.path), "--by", by, "--measures", "bands"])
        (head, *rows), _ = printed(capsys)
        assert head == [by, "runs", "bands"]
        counts_and_means = {row[0]: (int(row[1]), row[2].split(" ")[0]) for row in rows}
        assert counts_and_means == {
            key: (len(group), f"{np.mean([values[i]['bands'] for i in group]):.3g}") for key, group in groups.items()
        }
    tabulate.main([str(sweep.path), "--over", "octaves", "--measures", "bands"])
    (head, *rows), _ = printed(capsys)
    assert [row[:2] for row in (head, *rows)] == [["seed", "runs"], ["0", "2"], ["1", "1"]]


def test_runs_and_measures_without_numbers_are_named(sweep: Folder, capsys):
    values = sweep.add(octaves=1)
    sweep.add(octaves=1, status="failed")
    sweep.add(octaves=1, status="running")
    sweep.declare(octaves=1)
    sweep.add(octaves=1)
    (sweep.path / "runs" / "run04" / "run.json").write_text("{")
    sweep.add(octaves=2, side=40, measured=False)
    tabulate.main([str(sweep.path), "--measures", "seconds", "bands"])
    (_, *rows), sentences = printed(capsys)
    assert rows == [["1", "1", "1.5", f"{values['bands']:.3g}"], ["2", "1", "9", ""]]
    runs = sweep.path / "runs"
    assert sentences[0].startswith(f"{runs / 'run04' / 'run.json'} cannot be read")
    assert sentences[1:] == [
        f"{runs / 'run01'} is failed: too small.",
        f"{runs / 'run02'} is running: no result.",
        f"{runs / 'run03'} is pending: no result.",
        f"{runs / 'run05'} has no bands.",
    ]


def test_gram_errors(sweep: Folder, capsys):
    """The error of the source itself is 0. Stored errors do not count, as another network may have taken them."""
    sweep.add(octaves=1)
    sweep.add(octaves=2)
    sweep.add(octaves=3, side=32)
    runs = sweep.path / "runs"
    Image.open(sweep.path / "source.png").transpose(Image.Transpose.TRANSPOSE).save(runs / "run00" / "image.png")
    Image.open(sweep.path / "source.png").save(runs / "run01" / "image.png")
    for name in ("run00", "run01", "run02"):
        (runs / name / "measures.json").write_text(json.dumps(dict.fromkeys([*PIXEL, "gram_error"], 7.0)))
    tabulate.main([str(sweep.path), "--measures", "gram_error", "gram_error pool1"])
    (_, *rows), sentences = printed(capsys)
    assert all(0 < float(cell) < 1 for cell in rows[0][2:])
    assert rows[1:] == [["2", "1", "0", "0"], ["3", "1", "", ""]]
    assert sentences == [f"{runs / 'run02'} has no {name}." for name in ("gram_error", "gram_error pool1")]


def test_gram_errors_of_chosen_layers(sweep: Folder, capsys):
    sweep.add(octaves=1)
    columns = ["gram_error", "gram_error pool1", "gram_error conv2_2", "gram_error conv3_2"]
    tabulate.main([str(sweep.path), "--layers", "pool1", "conv2_2", "--measures", *columns])
    (_, row), sentences = printed(capsys)
    mean, pool1, conv2_2 = (float(cell) for cell in row[2:5])
    assert mean == pytest.approx((pool1 + conv2_2) / 2, rel=0.01)  # cells have three digits
    assert row[5] == "" and sentences == [f"{sweep.path / 'runs' / 'run00'} has no gram_error conv3_2."]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_contact_sheet(sweep: Folder, tmp_path: Path, capsys):
    """The source, cut or filled up, then the first run of each combination; a run without a result stays black."""
    sweep.add(octaves=1, seed=0, side=48)
    sweep.add(octaves=1, seed=1, side=48)
    sweep.add(octaves=2, seed=0, side=48)
    sweep.add(octaves=3, seed=0, side=48, status="failed")
    contact_sheet.main([str(sweep.path), str(tmp_path / "sheet.png")])
    out, err = capsys.readouterr()
    assert out.splitlines() == ["1. octaves: 1", "2. octaves: 2", "3. octaves: 3"]
    assert err.splitlines() == [f"{sweep.path / 'runs' / 'run03'} is failed."]
    runs = [pixels(sweep.path / "runs" / name / "image.png") for name in ("run00", "run02")]
    expected = np.hstack([pixels(sweep.path / "source.png")[:48, :48], *runs, np.zeros_like(runs[0])])
    np.testing.assert_array_equal(pixels(tmp_path / "sheet.png"), expected)


def test_contact_sheet_of_corners(sweep: Folder, tmp_path: Path):
    """Where four copies meet is the middle of 2 x 2 copies."""
    sweep.add(octaves=1, side=50)
    contact_sheet.main([str(sweep.path), str(tmp_path / "corners.png"), "--corners"])
    repeated = np.tile(pixels(sweep.path / "runs" / "run00" / "image.png"), (2, 2, 1))
    np.testing.assert_array_equal(pixels(tmp_path / "corners.png"), repeated[25:75, 25:75])


def test_contact_sheet_without_a_result(sweep: Folder, tmp_path: Path):
    sweep.declare(octaves=1)
    with pytest.raises(errors.TexjaxError, match=r"no run of .* has a result; wait until one has ended"):
        contact_sheet.main([str(sweep.path), str(tmp_path / "sheet.png")])
