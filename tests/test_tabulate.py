"""Tables of a sweep, on a directory written by hand: means and spreads against NumPy's."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments import tabulate
from texjax import config as configs

PIXEL = ("wavelet_kl", "displacement_score", "color_distance", "seam", "bands", "axial")  # measures without a network


def picture(path: Path, side: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path)


class Folder:
    """A sweep directory in the making. kept: run id -> measures as written."""

    def __init__(self, path: Path):
        self.path, self.lines, self.kept = path, [], {}
        (path / "runs").mkdir(parents=True)
        picture(path / "source.png", 64, 0)

    def declare(self, **swept: Any) -> Path:
        """The place of one more run, which has not begun."""
        name = f"run{len(self.lines):02}"
        self.lines.append({"id": name, "swept": swept, "command": "texjax synthesize"})
        text = json.dumps({"version": 1, "config": "own", "runs": self.lines})
        (self.path / "sweep.json").write_text(text)
        return self.path / "runs" / name

    def add(self, *, status: str = "finished", side: int = 64, changes: Any = (), measured: bool = True, **swept: Any):
        """One more run, with measures drawn at random; return these with seconds and the last loss."""
        place, seed = self.declare(**swept), len(self.lines)
        values = dict(zip(PIXEL, np.random.default_rng(seed).random(len(PIXEL)).tolist(), strict=True))
        place.mkdir()
        picture(place / "image.png", side, seed)
        config = configs.overridden(configs.load("texture:tiny"), dict(changes))
        (place / "config.json").write_text(json.dumps(config.to_dict()))
        record = {"status": status, "seconds": 1.5 * seed, "source_paths": [str(self.path / "source.png")]}
        record |= {"error": "too small."} if status == "failed" else {}
        (place / "run.json").write_text(json.dumps(record))
        (place / "metrics.jsonl").write_text(f'{{"loss": 7.0}}\n{{"loss": [{seed}.0, {seed + 1}.0]}}\n')
        if measured:
            (place / "measures.json").write_text(json.dumps(values))  # after the picture, so it is not measured again
        return values | {"seconds": 1.5 * seed, "loss": seed + 0.5}


@pytest.fixture
def sweep(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "sweep")


def printed(capsys) -> tuple[list[list[str]], list[str]]:
    """The cells of the table that was printed, but for the rule below its head, and the lines on stderr."""
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
    (head, *rows), said = printed(capsys)
    assert said == []
    assert head == ["terms.gram.layers", "octaves", "runs", *names]
    assert [tuple(row[:3]) for row in rows] == [(*key, "3") for key in runs] + [("", "5", "1")]
    with open(tmp_path / "table.csv", newline="") as file:
        table = list(csv.DictReader(file))
    for row, line, of in zip(rows, table, runs.values(), strict=False):
        for name, cell in zip(names, row[3:], strict=True):
            numbers = np.array([values[name] for values in of])
            mean, spread = numbers.mean(), np.sqrt(((numbers - numbers.mean()) ** 2).sum() / 2)
            assert cell == f"{mean:.3g} ± {spread:.3g}"
            assert [float(line[name]), float(line[f"{name} spread"])] == pytest.approx([mean, spread], rel=1e-9)
    assert rows[-1][3:] == [f"{alone[name]:.3g}" for name in names]  # of one run there is no spread
    assert (float(table[-1]["bands"]), table[-1]["bands spread"], table[-1]["runs"]) == (alone["bands"], "", "1")


def test_rows_by_chosen_keys(sweep: Folder, capsys):
    """By a key that only some runs sweep and the others have from their config, or that none sweeps."""
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
        found = {row[0]: (int(row[1]), row[2].split(" ")[0]) for row in rows}
        assert found == {
            key: (len(of), f"{np.mean([values[i]['bands'] for i in of]):.3g}") for key, of in groups.items()
        }
    tabulate.main([str(sweep.path), "--over", "octaves", "--measures", "bands"])
    (head, *rows), _ = printed(capsys)
    assert [row[:2] for row in (head, *rows)] == [["seed", "runs"], ["0", "2"], ["1", "1"]]


def test_what_is_not_counted_is_named(sweep: Folder, capsys):
    values = sweep.add(octaves=1)
    sweep.add(octaves=1, status="failed")
    sweep.add(octaves=1, status="running")
    sweep.declare(octaves=1)
    sweep.add(octaves=1)
    (sweep.path / "runs" / "run04" / "run.json").write_text("{")
    sweep.add(octaves=2, side=40, measured=False)
    tabulate.main([str(sweep.path), "--measures", "seconds", "bands"])
    (_, *rows), said = printed(capsys)
    assert rows == [["1", "1", "1.5", f"{values['bands']:.3g}"], ["2", "1", "9", ""]]
    place = sweep.path / "runs"
    assert said[0].startswith(f"{place / 'run04' / 'run.json'} cannot be read")
    assert said[1:] == [
        f"{place / 'run01'} is failed: too small.",
        f"{place / 'run02'} is running: no result.",
        f"{place / 'run03'} is pending: no result.",
        f"{place / 'run05'} has no bands.",
    ]


def test_gram_errors(sweep: Folder, capsys):
    """Of the source itself 0; not kept, as another network's would be taken for them."""
    sweep.add(octaves=1)
    sweep.add(octaves=2)
    sweep.add(octaves=3, side=32)
    place = sweep.path / "runs"
    Image.open(sweep.path / "source.png").transpose(Image.Transpose.TRANSPOSE).save(place / "run00" / "image.png")
    Image.open(sweep.path / "source.png").save(place / "run01" / "image.png")
    for name in ("run00", "run01", "run02"):
        (place / name / "measures.json").write_text(json.dumps(dict.fromkeys([*PIXEL, "gram_error"], 7.0)))
    tabulate.main([str(sweep.path), "--measures", "gram_error", "gram_error pool1"])
    (_, *rows), said = printed(capsys)
    assert all(0 < float(cell) < 1 for cell in rows[0][2:])
    assert rows[1:] == [["2", "1", "0", "0"], ["3", "1", "", ""]]
    assert said == [f"{place / 'run02'} has no {name}." for name in ("gram_error", "gram_error pool1")]
