"""Run directories: their names as subjective-functions forms them, and what is written into them."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors, images
from texjax.runs import curves, machine, records

# By hand from subjective-functions' synthesize.py: prefix.L{layers}.o{octaves}, then what differs from the defaults,
# {width}x{height} at the end; its layers are indices and ours are names.
NAMES = [
    ({}, "out.Lpool1,conv3_2.o4.512x512"),
    ({"octaves": 2, "size": (300, 200)}, "out.Lpool1,conv3_2.o2.300x200"),
    ({"source.scale": 0.5}, "out.Lpool1,conv3_2.o4.w0.5.512x512"),
    ({"source.scale": 0.123}, "out.Lpool1,conv3_2.o4.w0.12.512x512"),
    ({"source.width": 256}, "out.Lpool1,conv3_2.o4.w256.512x512"),
    ({"count": 3}, "out.Lpool1,conv3_2.o4.c3.512x512"),
    ({"frames": 6}, "out.Lpool1,conv3_2.o4.f6.512x512"),
    ({"terms.gram.mul": 2.5}, "out.Lpool1,conv3_2.o4.m2.5.512x512"),
    ({"terms.gram.join": "max"}, "out.Lpool1,conv3_2.o4.jmax.512x512"),
    ({"source.width": 64, "count": 2, "terms.gram.mul": 0.5}, "out.Lpool1,conv3_2.o4.w64.c2.m0.5.512x512"),
]


@pytest.mark.parametrize(("changes", "expected"), NAMES)
def test_name(changes, expected):
    config = configs.load("snelgrove")
    config.update_from_flattened_dict(changes)
    assert records.name("out", ["pool1", "conv3_2"], config) == expected


def test_name_of_an_animation():
    config = configs.load("animation")
    config.terms.inter_frame.order = 3
    assert records.name("out", ["pixels"], config) == "out.Lpixels.o4.f8.ifs1.0.ifo3.256x256"


def test_name_has_the_prefix():
    assert records.name("rock", ["pixels"], configs.load("random:tiny")) == "rock.Lpixels.o2.48x48"


def test_fresh_never_reuses_a_directory(tmp_path):
    parent = tmp_path / "deep" / "outputs"
    paths = [records.fresh(parent, "run") for _ in range(3)]
    assert [path.name for path in paths] == ["run", "run.0", "run.1"]
    assert all(path.is_dir() and path.parent == parent for path in paths)
    (parent / "file").write_text("")
    assert records.fresh(parent, "file").name == "file.0"


def test_exact(tmp_path):
    path = tmp_path / "a" / "run"
    assert records.exact(path) == path and path.is_dir()
    (path / "notes.txt").write_text("mine")
    assert records.exact(path) == path
    records.write_json(path / "run.json", {})
    with pytest.raises(errors.TexjaxError, match="holds a run already"):
        records.exact(path)


@pytest.mark.parametrize("make", [records.exact, lambda path: records.fresh(path, "run")])
def test_a_directory_that_cannot_be_made(make, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(errors.EnvironmentFault, match="file"):
            make(path)


def metrics(*losses: list[float]) -> dict:
    """Return the metrics of some steps; each argument lists the losses of a step's outputs."""
    array = np.array(losses)
    ones = np.ones(array.shape)
    return {
        "loss": array,
        "terms": {"a": 0.25 * array, "b": 0.75 * array},
        "gradient": 2 * ones,
        "evaluations": 3 * ones.astype(int),
        "failed": ones < 0,
        "low": -0.5 * ones,
        "high": 1.5 * ones,
    }


def test_rows_of_one_output():
    """Two steps in 3 s after one that ended at 0.5 s: 2.0 and 3.5 s."""
    first = records.rows([], 0, metrics([8.0]), 0.5)
    plain = {"gradient": 2.0, "evaluations": 3, "failed": False, "low": -0.5, "high": 1.5}
    assert first == [{"step": 0, "seconds": 0.5, "loss": 8.0, "terms": {"a": 2.0, "b": 6.0}, **plain}]
    assert records.rows(first, 2, metrics([4.0], [2.0]), 3.0) == [
        {"step": 1, "seconds": 2.0, "loss": 4.0, "terms": {"a": 1.0, "b": 3.0}, **plain},
        {"step": 2, "seconds": 3.5, "loss": 2.0, "terms": {"a": 0.5, "b": 1.5}, **plain},
    ]


def test_rows_of_several_outputs():
    (row,) = records.rows([], 7, metrics([8.0, 4.0]), 1.0)
    assert (row["step"], row["loss"], row["terms"]) == (7, [8.0, 4.0], {"a": [2.0, 1.0], "b": [6.0, 3.0]})
    assert (row["evaluations"], row["failed"], row["high"]) == ([3, 3], [False, False], [1.5, 1.5])


def test_metrics_are_a_line_each(tmp_path):
    lines = records.rows([], 1, metrics([4.0], [2.0]), 3.0)
    records.write_metrics(tmp_path, lines)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == lines


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([[4.0], [2.0]], "log"), ([[4.0, 3.0], [2.0, 1.0]], "log"), ([[1.0]], "log"), ([[0.0], [0.0]], "linear")],
)
def test_the_curve_has_the_losses(losses, scale):
    """A curve for each output of the loss, and of its terms, which are a quarter and three quarters of it."""
    lines = records.rows([], len(losses) - 1, metrics(*losses), 1.0)
    (axes,) = curves.figure(lines).axes
    columns = np.transpose(losses)
    expected = np.concatenate([columns, 0.25 * columns, 0.75 * columns])
    np.testing.assert_allclose([line.get_ydata() for line in axes.lines], expected)
    assert all(list(line.get_xdata()) == list(range(len(losses))) for line in axes.lines)
    assert axes.get_yscale() == scale


@pytest.mark.parametrize("losses", [[8.0, 4.0, 2.0], [1.0], [0.0, 0.0]])
def test_the_curve_is_a_picture(losses, tmp_path):
    """In the color of Matplotlib's first curve: a falling line across most of the picture, a dot, a level line."""
    records.write_curve(tmp_path, [{"step": i, "loss": loss, "terms": {"a": loss}} for i, loss in enumerate(losses)])
    with Image.open(tmp_path / "loss.png") as picture:
        assert picture.format == "PNG" and min(picture.size) >= 300
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - [0x1F, 0x77, 0xB4]).max(axis=2) < 8)
    assert len(rows) > 10
    if len(losses) > 1:
        left, right = rows[columns == columns.min()].mean(), rows[columns == columns.max()].mean()
        assert np.ptp(columns) > 0.5 * pixels.shape[1]
        assert right - left > 0.5 * pixels.shape[0] if losses[-1] < losses[0] else right == left


def test_progress_is_named_by_step_and_output(tmp_path):
    stack = np.linspace(0, 1, 2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)
    for step in (0, 12345):
        records.write_progress(tmp_path, step, stack)
    names = sorted(path.name for path in (tmp_path / "progress").iterdir())
    assert names == ["I0000_F0000.png", "I0000_F0001.png", "I12345_F0000.png", "I12345_F0001.png"]
    np.testing.assert_allclose(images.load(tmp_path / "progress" / "I12345_F0001.png"), stack[1], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(("count", "names"), [(1, ["image.png"]), (2, ["image_0000.png", "image_0001.png"])])
def test_results_carry_what_they_are_about(count, names, tmp_path):
    stack = np.full((count, 4, 5, 3), 0.5, np.float32)
    paths = records.write_results(tmp_path, stack, configs.load("random").output, {"config": {"seed": 3}})
    assert [path.name for path in paths] == names
    for path in paths:
        assert json.loads(images.read_text(path)["texjax"]) == {"config": {"seed": 3}}


@pytest.mark.parametrize(("count", "stems"), [(1, ["animation"]), (2, ["animation_0000", "animation_0001"])])
def test_movies_of_frames(count, stems, tmp_path):
    stack = np.random.default_rng(0).random((count, 3, 8, 6, 3)).astype(np.float32)
    assert records.write_movies(tmp_path, stack[:, :1]) == []
    paths = records.write_movies(tmp_path, stack)
    assert sorted(paths) == sorted(tmp_path.iterdir())
    for stem, frames in zip(stems, stack, strict=True):
        assert {path.suffix for path in paths if path.stem == stem} >= {".webp", ".gif"}
        with Image.open(tmp_path / f"{stem}.webp") as movie:
            for i, frame in enumerate(frames):
                movie.seek(i)
                np.testing.assert_array_equal(np.asarray(movie.convert("RGB")), np.rint(255 * frame))


def test_an_extractor_without_a_backend_is_of_xla():
    assert machine.environment({"name": "own"})["backend"] == "xla"


def test_environment():
    environment = machine.environment({"name": "random", "backend": "xla"})
    assert set(environment) == {"versions", "platform", "devices", "backend", "backend_reason"}
    assert (environment["backend"], environment["backend_reason"]) == ("xla", "features.backend is xla.")
    packages = {"python", "texjax", "jax", "jaxlib", "flax", "jaxopt", "optax", "numpy"}
    assert packages <= set(environment["versions"]) and environment["versions"]["numpy"] == np.__version__
    assert len(environment["devices"]) == jax.device_count()
    json.dumps(environment)


def test_peak_memory_counts_bytes():
    """The peak includes an array of 256 MiB, and no machine has 32 TiB."""
    array = jax.block_until_ready(jax.numpy.ones(2**26))
    assert array.nbytes < machine.peak_memory() < 2**45
