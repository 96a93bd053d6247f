"""Gray pictures: one channel all the way, with the objective of three equal channels, and files of one channel."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import png
import pytest
from PIL import Image

import texjax
from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.images import colors
from texjax.synthesis import build, optimize

TINY: dict[str, Any] = {
    "config": "random:tiny",
    "optimizer": {"name": "adam", "learning_rate": 0.01},  # quickest to compile
    "max_iter": 4,
}
WORDS = ["--config.optimizer={'name': 'adam', 'learning_rate': 0.01}", "-m", "4"]
WEIGHTS = np.array([0.299, 0.587, 0.114])  # of the luminance of BT.601


def texture(seed: int = 0, size: tuple[int, int] = (64, 80)) -> np.ndarray:
    """Gray waves and noise, uint8 [h, w]."""
    y, x = np.mgrid[: size[0], : size[1]]
    noise = np.random.default_rng(seed).normal(0, 12, size)
    return (128 + 50 * np.sin(x / 3) * np.sin(y / 4) + noise).clip(0, 255).astype(np.uint8)


def colored(gray: np.ndarray) -> np.ndarray:
    return (gray[..., None] * np.array([1.0, 0.8, 0.5])).astype(np.uint8)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    files = {name: folder / f"{name}.png" for name in ("gray", "rgb", "deep", "colored")}
    Image.fromarray(texture()).save(files["gray"])
    Image.fromarray(np.repeat(texture()[..., None], 3, axis=2)).save(files["rgb"])
    Image.fromarray(colored(texture())).save(files["colored"])
    png.from_array((texture().astype(np.uint16) * 257), "L;16").save(files["deep"])
    return files


def test_the_objective_is_that_of_three_equal_channels():
    """And the gradient of gray is the sum of those of the channels."""
    config = configs.load("random:tiny")
    parts = build.parts(config)
    gray = (texture(1)[:48, :48, None] / 255).astype(np.float32)
    sources = (texture()[..., None] / 255).astype(np.float32)
    targets = [
        optimize.targets(parts, config.octaves, {"sources": [source]})
        for source in (sources, np.repeat(sources, 3, axis=2))
    ]
    evaluate = jax.value_and_grad(lambda x, target: parts.objective.value(x, parts.extractor.weights, target)[0])
    value, gradient = evaluate(jnp.asarray(gray[None]), targets[0])
    value_of_color, gradient_of_color = evaluate(jnp.asarray(np.repeat(gray, 3, axis=2)[None]), targets[1])
    assert float(value) == pytest.approx(float(value_of_color), rel=1e-6)
    assert gradient.shape == (1, 48, 48, 1)
    summed = np.asarray(gradient_of_color, np.float64).sum(-1, keepdims=True)
    np.testing.assert_allclose(gradient, summed, atol=1e-5 * np.abs(summed).max())


@pytest.mark.parametrize("name", ["gray", "rgb", "deep"])
def test_gray_files_give_one_channel(paths, name: str):
    image = texjax.synthesize(paths[name], **TINY)
    assert image.shape == (48, 48, 1)
    np.testing.assert_array_equal(image, texjax.synthesize(texture(), **TINY))


def test_arrays_of_two_dimensions_and_several_outputs():
    assert texjax.synthesize((texture() / 255).astype(np.float32), count=2, **TINY).shape == (2, 48, 48, 1)


def test_one_source_in_color_makes_the_output_colored(paths):
    image = texjax.synthesize([paths["gray"], paths["colored"]], **TINY)
    assert image.shape == (48, 48, 3) and np.ptp(image, axis=-1).max() > 0.05


def test_three_channels_can_be_asked_for():
    image = texjax.synthesize(texture(), **TINY, **{"output.channels": 3})
    assert image.shape == (48, 48, 3)


def test_one_channel_can_be_asked_for():
    """The sources are then their luminances."""
    gray = (colored(texture()) / 255) @ WEIGHTS
    image = texjax.synthesize(colored(texture()), **TINY, **{"output.channels": 1})
    np.testing.assert_allclose(image, texjax.synthesize(gray.astype(np.float32), **TINY), atol=1e-4)


def test_a_gray_picture_may_be_off_by_rounding():
    image = np.full((4, 5, 3), 0.5, np.float32)
    assert colors.is_gray(image)
    image[2, 3, 1] += 0.4 / 255
    assert colors.is_gray(image)
    image[2, 3, 2] -= 0.2 / 255
    assert not colors.is_gray(image)


def mode(path: Path) -> str:
    with Image.open(path) as picture:
        return picture.mode


def end_of(words: list[str]) -> Any:
    with pytest.raises(SystemExit) as end:
        main.main(words)
    return end.value.code


@pytest.mark.parametrize("bits", [8, 16])
def test_the_file_has_one_channel(paths, tmp_path, bits: int):
    run = tmp_path / "run"
    words = ["--config", "random:tiny", *WORDS, f"--config.output.bits={bits}", "--run-dir", str(run)]
    assert end_of(["synthesize", str(paths["gray"]), *words]) == 0
    width, height, rows, info = png.Reader(bytes=(run / "image.png").read_bytes()).read()
    levels = np.array([list(row) for row in rows])
    assert (width, height, info["greyscale"], info["alpha"], info["bitdepth"]) == (48, 48, True, False, bits)
    assert len(np.unique(levels)) > {8: 5, 16: 500}[bits]
    assert {mode(file) for file in (run / "progress").glob("*.png")} == {"L"}


@pytest.mark.slow
def test_transfer_of_gray_to_gray_is_gray_and_of_color_to_gray_is_not(paths, tmp_path):
    for name, expected in (("rgb", "L"), ("colored", "RGB")):
        run = tmp_path / name
        words = ["--config", "multiscale_style:tiny", "--max-size", "56", "-m", "2", "--run-dir", str(run)]
        assert end_of(["transfer", str(paths[name]), str(paths["gray"]), *words]) == 0
        assert mode(run / "image.png") == expected


def test_jitter_and_frames_of_gray(paths, tmp_path):
    run = tmp_path / "run"
    words = ["--config", "random:tiny", *WORDS, "--config.frames=2", "--config.jitter.color=0.1", "--run-dir", str(run)]
    assert end_of(["synthesize", str(paths["gray"]), *words, "--config.jitter.pixels=2"]) == 0
    assert mode(run / "image_0001.png") == "L"
    with Image.open(run / "animation.webp") as movie:
        frame = np.asarray(movie.convert("RGB"))
    with Image.open(run / "image_0000.png") as picture:
        np.testing.assert_array_equal(frame[..., 0], np.asarray(picture))
    np.testing.assert_array_equal(frame[..., 0], frame[..., 2])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"output.channels": 2}, r"output.channels is 2; give 1 \(gray\), 3 \(color\) or 0"),
        ({"output.channels": 1, "output.original_colors": True}, "output.channels is 1, which is gray; change one of"),
    ],
)
def test_impossible_channels(keys: dict[str, Any], message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        texjax.synthesize(texture(), **TINY, **keys)
