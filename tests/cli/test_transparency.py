"""Transparent pictures, and the limits of every picture that is read, through the commands and in Python."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image

import texjax
from texjax import errors
from texjax.cli import main

FEATURES = {"name": "random", "size": 5, "channels": 8, "padding": "reflect"}  # quick to compile
ADAM = {"name": "adam", "learning_rate": 0.02}
KEYS: dict[str, Any] = {"features": FEATURES, "optimizer": ADAM, "schedule.steps": (), "max_iter": 2, "save_every": 2}
WORDS = ["--config", "multiscale_style:tiny", *(f"--config.{key}={value}" for key, value in KEYS.items())]
TERMS = {
    "gram": {"name": "gram", "layers": {"conv1_1": 1.0}},
    "content": {"name": "content", "layers": {"pixels": 1.0}, "group": "content"},
}
KEYS["terms"] = TERMS
# As on the command line, where a warning is a sentence.
pytestmark = pytest.mark.filterwarnings("always::texjax.errors.TexjaxWarning")
BACKGROUND = (0.2, 0.4, 0.6)
ON_COLOR = f"--config.source.background={BACKGROUND}"


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    """Smooth pictures of 48 x 40 px: opaque, with a disc of soft edge as alpha, and with low gloss as alpha."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    y, x = np.mgrid[:40, :48]
    disc = np.clip((16 - np.hypot(x - 23.5, y - 19.5)) / 3 + 0.5, 0, 1)
    alphas = {"style": None, "other": None, "cut": disc, "gloss": rng.random((40, 48)) * 0.15}
    for name, alpha in alphas.items():
        coarse = Image.fromarray(rng.integers(60, 196, (6, 7, 3), np.uint8))
        levels = np.asarray(coarse.resize((48, 40), Image.Resampling.BICUBIC))
        levels = levels if alpha is None else np.dstack([levels, np.rint(alpha * 255).astype(np.uint8)])
        Image.fromarray(levels).save(folder / f"{name}.png")
    Image.new("RGB", (30, 40)).save(folder / "narrow.png")
    return {path.stem: path for path in folder.iterdir()}


def call(where: Path, *words: object, code: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        given = [f"--config.terms={TERMS}"] * (words[0] != "analogy")
        main.main([*map(str, words), *WORDS, *given, "--run-dir", str(where)])
    assert end.value.code == code


def values(path: Path, mode: str) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == mode
        return np.asarray(picture, float) / 255


def test_a_cut_out_content_gives_a_cut_out(paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The result's alpha is the content's, and over the background it is the picture that was optimized."""
    where = tmp_path / "run"
    call(where, "transfer", paths["cut"], paths["style"], ON_COLOR)
    result, content = values(where / "image.png", "RGBA"), values(paths["cut"], "RGBA")
    assert capsys.readouterr().err.count("texjax:") == 0
    np.testing.assert_array_equal(result[..., 3], content[..., 3])
    optimized = values(where / "progress" / "I0002_F0000.png", "RGB")
    background, alpha = np.array(BACKGROUND), result[..., 3:]
    composite = alpha * result[..., :3] + (1 - alpha) * background
    rest = (1 - alpha) * background
    possible = np.all((optimized >= rest) & (optimized <= rest + alpha), axis=-1)  # by colors in [0, 1]
    assert possible[alpha[..., 0] > 0].mean() > 0.95
    np.testing.assert_allclose(composite[possible], optimized[possible], atol=1.01 / 255)
    # No fringe: on the soft edge the content's own color, but for two steps of the optimizer over alpha, and rounding.
    edge = (alpha[..., 0] > 0.3) & (alpha[..., 0] < 1)
    assert edge.sum() > 50
    np.testing.assert_allclose(result[..., :3][edge], content[..., :3][edge], atol=(2 * 0.02 + 1 / 255) / 0.3)


def test_the_content_is_over_the_background_while_it_is_optimized(paths: dict[str, Path], tmp_path: Path):
    call(tmp_path / "run", "transfer", paths["cut"], paths["style"], ON_COLOR)
    start, content = values(tmp_path / "run" / "progress" / "I0000_F0000.png", "RGB"), values(paths["cut"], "RGBA")
    alpha = content[..., 3:]
    want = alpha * content[..., :3] + (1 - alpha) * np.array(BACKGROUND)
    np.testing.assert_allclose(start, want, atol=0.51 / 255)


def test_alpha_is_stretched_like_the_content(paths: dict[str, Path], tmp_path: Path):
    """Against Pillow's Lanczos, whose weights are rounded a little."""
    call(tmp_path / "run", "transfer", paths["cut"], paths["style"], "--config.size=(24,20)", "--config.octaves=1")
    alpha = Image.fromarray(values(paths["cut"], "RGBA")[..., 3].astype(np.float32))
    want = np.asarray(alpha.resize((24, 20), Image.Resampling.LANCZOS)).clip(0, 1)
    np.testing.assert_allclose(values(tmp_path / "run" / "image.png", "RGBA")[..., 3], want, atol=0.6 / 255)


def test_the_other_formats(paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    alpha = values(paths["cut"], "RGBA")[..., 3]
    call(tmp_path / "deep", "transfer", paths["cut"], paths["style"], "--config.output.bits=16")
    _, _, rows, info = png.Reader(bytes=(tmp_path / "deep" / "image.png").read_bytes()).read()
    assert info["alpha"] and info["bitdepth"] == 16
    levels = np.array([list(row) for row in rows]).reshape(40, 48, 4)
    np.testing.assert_allclose(levels[..., 3] / 65535, alpha, atol=1e-5)
    call(tmp_path / "tiff", "transfer", paths["cut"], paths["style"], "--config.output.format=tiff")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "tiff" / "image.tiff")[..., 3], np.rint(alpha * 255))
    assert "alpha" not in capsys.readouterr().err
    call(tmp_path / "jpg", "transfer", paths["cut"], paths["style"], "--config.output.format=jpg")
    assert values(tmp_path / "jpg" / "image.jpg", "RGB").shape == (40, 48, 3)
    (line,) = capsys.readouterr().err.splitlines()
    assert "jpg files hold no alpha" in line and "--config.output.format=png" in line


CASES = [("cut", "over", "RGB"), ("cut", "ignore", "RGB"), ("cut", "keep", "RGBA"), ("gloss", "keep", "RGBA")]
CASES += [("gloss", "auto", "RGB"), ("other", "keep", "RGB")]


@pytest.mark.parametrize(("content", "alpha", "mode"), CASES)
def test_which_results_have_alpha(
    content: str, alpha: str, mode: str, paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call(tmp_path / "run", "transfer", paths[content], paths["style"], f"--config.source.alpha={alpha}")
    result = values(tmp_path / "run" / "image.png", mode)
    if mode == "RGBA":
        np.testing.assert_array_equal(result[..., 3], values(paths[content], "RGBA")[..., 3])
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == ((content, alpha) == ("gloss", "auto"))
    if warned:
        assert "gloss.png: its alpha" in warned[0] and "--config.source.alpha=over" in warned[0]
        start = values(tmp_path / "run" / "progress" / "I0000_F0000.png", "RGB")
        np.testing.assert_allclose(start, values(paths["gloss"], "RGBA")[..., :3], atol=1e-6)


def test_an_analogy_has_the_alpha_of_b(paths: dict[str, Path], tmp_path: Path):
    terms = {"analogy": {"name": "analogy", "group": "analogy", "layers": {"conv1_1": 1.0}}}
    where = tmp_path / "run"
    call(where, "analogy", paths["style"], paths["other"], paths["cut"], f"--config.terms={terms}")
    np.testing.assert_array_equal(values(where / "image.png", "RGBA")[..., 3], values(paths["cut"], "RGBA")[..., 3])


REFUSED = {
    "keep without a content": ("synthesize {style} --config.source.alpha=keep", ["'keep'", "no content", "transfer"]),
    "keep as JPEG": (
        "transfer {cut} {style} --config.source.alpha=keep --config.output.format=jpg",
        ["'keep'", "jpg", "png or tiff"],
    ),
    "no such mode": ("transfer {cut} {style} --config.source.alpha=kep", ["source.alpha 'kep'", "'keep'"]),
    "a large content": ("transfer {cut} {style} --config.source.max_pixels=1919", ["cut.png", "48 x 40", "1,919"]),
    "a large content of a given size": (
        "transfer {cut} {narrow} --config.source.max_pixels=1919 --config.size=(48,40)",
        ["cut.png", "48 x 40", "--config.source.max_pixels=N"],
    ),
    "a large start": (
        "synthesize {narrow} --init {cut} --config.source.max_pixels=1919 --config.source.fit=0.0",
        ["cut.png", "--config.source.max_pixels=N"],
    ),
    "a start that is not there": ("synthesize {style} --init nowhere.png", ["nowhere.png: no such file"]),
    "a large B": (
        "analogy {narrow} {narrow} {cut} --config.source.max_pixels=1919",
        ["cut.png", "--config.source.max_pixels=N"],
    ),
    "A and A' of two sizes": (
        "analogy {narrow} {style} {cut} --config.source.width=24",
        ["A (", "narrow.png) is 30 x 40 px", "A' (", "style.png) is 48 x 40 px", "one size"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_a_sentence(name: str, paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command, parts = REFUSED[name]
    call(tmp_path / "run", *command.format(**paths).split(), code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert all(part in line for part in parts), line
    assert not (tmp_path / "run").exists()


def test_a_picture_to_start_from_is_recorded_and_composited(
    paths: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["transfer", paths["other"], paths["style"], "--init", paths["cut"], ON_COLOR]
    call(tmp_path / "run", *words)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["init_paths"] == [str(paths["cut"])] and record["init"][0]["name"] == "cut.png"
    start, content = values(tmp_path / "run" / "progress" / "I0000_F0000.png", "RGB"), values(paths["cut"], "RGBA")
    alpha = content[..., 3:]
    np.testing.assert_allclose(start, alpha * content[..., :3] + (1 - alpha) * np.array(BACKGROUND), atol=0.51 / 255)
    assert values(tmp_path / "run" / "image.png", "RGB").shape == (40, 48, 3)  # only the content gives its alpha
    capsys.readouterr()
    call(tmp_path / "plan", *words, "--dry-run")
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("init")]
    assert "48 x 40 px" in row and not (tmp_path / "plan").exists()


@pytest.mark.parametrize("kind", ["uint8", "float32", "path"])
def test_transfer_in_python(kind: str, paths: dict[str, Path]):
    levels = np.asarray(Image.open(paths["cut"]))
    content: Any = {"uint8": levels, "float32": (levels / 255).astype(np.float32), "path": paths["cut"]}[kind]
    result = texjax.transfer(content, paths["style"], config="multiscale_style:tiny", **KEYS)
    assert result.shape == (40, 48, 4) and result.dtype == np.float32
    np.testing.assert_allclose(result[..., 3], levels[..., 3] / 255, atol=1e-6)
    edge = (result[..., 3] > 0.3) & (result[..., 3] < 1)
    np.testing.assert_allclose(result[edge][:, :3], levels[edge][:, :3] / 255, atol=2 * 0.02 / 0.3 + 0.01)


def test_arrays_of_all_channels(paths: dict[str, Path]):
    """Gray is three equal channels, and a transparent source lies on the background."""
    levels, keys = np.asarray(Image.open(paths["cut"])), {"config": "random:tiny", "optimizer": ADAM, "max_iter": 2}
    alpha = levels[..., 3:] / np.float32(255)
    gray = levels[..., :1] / np.float32(255)
    over = (alpha * gray + (1 - alpha) * np.array(BACKGROUND)).astype(np.float32)
    given = {**keys, "source.background": BACKGROUND, "size": (40, 40), "octaves": 1}
    want = texjax.synthesize(over, **given)
    got = texjax.synthesize(np.concatenate([gray, alpha], -1), **given)
    np.testing.assert_allclose(got, want, atol=1e-3)
    opaque = texjax.synthesize(np.repeat(gray, 3, 2), **given)
    np.testing.assert_array_equal(texjax.synthesize(gray, **given), opaque)
    np.testing.assert_array_equal(texjax.synthesize(gray[..., 0], **given), opaque)
    assert np.abs(opaque - want).max() > 0.01


def test_python_refuses_and_warns_alike(paths: dict[str, Path]):
    gloss = np.asarray(Image.open(paths["gloss"]))
    with pytest.warns(errors.TexjaxWarning, match=r"a picture of the content: its alpha .*source\.alpha=over"):
        result = texjax.transfer(gloss, paths["style"], config="multiscale_style:tiny", **KEYS)
    assert result.shape == (40, 48, 3)
    with pytest.raises(errors.TexjaxError, match="no content whose alpha"):
        texjax.synthesize(paths["style"], config="random:tiny", **{"source.alpha": "keep"})
    start: dict[str, Any] = {"init": {"name": "picture", "path": str(paths["cut"])}}
    limit: dict[str, Any] = {"source.max_pixels": 1919}
    for function in (texjax.synthesize, texjax.iterate):
        with pytest.raises(errors.TexjaxError, match=r"cut\.png: 48 x 40"):
            function(np.full((64, 64, 3), 0.5), config="random:tiny", **start, **limit)
    size: dict[str, Any] = {"size": (48, 40), "octaves": 1}
    first = next(iter(texjax.iterate(paths["style"], config="random:tiny", **start, **size)))
    content = values(paths["cut"], "RGBA")
    want = content[..., 3:] * content[..., :3] + 1 - content[..., 3:]
    np.testing.assert_allclose(first.images[0, 0], want, atol=1e-6)
