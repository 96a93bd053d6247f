"""`texjax measure`: what it prints, and where."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from texjax import features, images, measures
from texjax.cli import display, main
from texjax.features.weights import catalog

NAMES = [name for name in measures.MEANINGS if name != "gram_error"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{name}.png" for name in ("result", "source", "other")]
    for seed, path in enumerate(paths):
        images.save(path, np.random.default_rng(seed).random((60, 64, 3)))
    return paths


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setattr(catalog, "candidates", lambda network: iter(()))


def call(capsys, *words: object) -> tuple[str, str]:
    """What the command prints on standard output and error; it has to end well."""
    with pytest.raises(SystemExit) as end:
        main.main(["measure", *map(str, words)])
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return out, err


def test_plain_lines(pictures, no_weights, capsys):
    out, err = call(capsys, pictures[0], "--source", *pictures[1:])
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert all(line.endswith(measures.MEANINGS[name]) for name, line in zip(NAMES, lines, strict=True))
    assert err.count("\n") == 1 and "no Gram error" in err and "texjax weights fetch vgg19" in err


def test_json_holds_the_values(pictures, no_weights, capsys):
    out, _ = call(capsys, pictures[0], "-s", *pictures[1:], "--json")
    result, *sources = map(images.load, pictures)
    assert json.loads(out) == measures.measure_all(result, sources)
    assert json.loads(out)["color_distance"] == measures.color_distance(result, sources)


def test_gram_errors_of_the_layers(pictures, monkeypatch, capsys):
    extractor = features.random(size=11, channels=4)
    monkeypatch.setattr(features, "vgg19", lambda weights: extractor)
    out, err = call(capsys, *f"{pictures[0]} -s {pictures[1]} --weights x --layers pixels 0 --json".split())
    # 60, 28 and 12 pixels fit a filter of 11, and 4 do not.
    assert err == "texjax: the Gram error is of 3 octaves, as 4 do not fit.\n"
    got = json.loads(out)
    assert list(got) == ["gram_error", "gram_error pixels", "gram_error conv1_1", *NAMES]
    want = measures.gram_errors(extractor, *load(pictures), layers=["pixels", "conv1_1"], octaves=3)
    assert [got[f"gram_error {layer}"] for layer in want] == list(want.values())
    assert got["gram_error"] == pytest.approx(np.mean(list(want.values())))


def load(pictures: list[Path]) -> tuple[np.ndarray, list[np.ndarray]]:
    return images.load(pictures[0]), [images.load(pictures[1])]


def test_sources_are_resized(pictures, no_weights, capsys):
    out, _ = call(capsys, pictures[0], "-s", pictures[1], "-sw", 90, "--json")
    want = measures.bands(images.load(pictures[0]), [images.load(pictures[1], width=90)])
    assert json.loads(out)["bands"] == want


def test_layers_that_leave_no_octave(pictures, monkeypatch, capsys):
    monkeypatch.setattr(features, "vgg19", lambda weights: features.random(size=61, channels=1))
    with pytest.raises(SystemExit) as end:
        main.main([*f"measure {pictures[0]} -s {pictures[1]} --weights x --layers conv1_1".split()])
    assert end.value.code == 2
    assert "60 px is too small for the layers conv1_1" in capsys.readouterr().err


def test_a_table_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    display.show_measures({"seam": 1.25, "seam [x]": 2.0}, measures.MEANINGS, as_json=False)
    out = capsys.readouterr().out
    assert "measure" in out and "1.25" in out and "seam [x]" in out and "─" in out


def test_help_imports_no_jax():
    code = "import sys\nfrom texjax.cli import main\n"
    code += "try:\n    main.main(['measure', '--help'])\nfinally:\n    assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
