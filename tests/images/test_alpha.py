"""What alpha means, pictures with and without it, and files that hold it, against formulas, Pillow, pypng, tifffile."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from texjax import errors, images
from texjax.images import alpha as transparency

RNG = np.random.default_rng(0)
SIDE = 128
Y, X = np.mgrid[:SIDE, :SIDE] / (SIDE - 1)
RADIUS = np.hypot(X - 0.5, Y - 0.5)
DISC = np.clip((0.35 - RADIUS) * SIDE, 0, 1)  # its edge is one pixel wide
COLORS = RNG.integers(0, 256, (SIDE, SIDE, 3)) / 255
LETTERS = 0.3 * (RNG.random((8, 8)) > 0.5).repeat(16, 0).repeat(16, 1)


def noise(sigma: float) -> np.ndarray:
    """Smooth noise over all of [0, 1]."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(SIDE, SIDE)), sigma, mode="wrap")
    return (smooth - smooth.min()) / np.ptp(smooth)


TRANSPARENT = {
    "a disc": DISC,
    "a disc with a soft shadow": np.maximum(DISC, 0.5 * ndimage.gaussian_filter(np.roll(DISC, 8, 0), 6)),
    "a small mark": np.clip((0.08 - RADIUS) * SIDE, 0, 1),
    "soft edges": np.clip(4 * np.minimum.reduce([X, 1 - X, Y, 1 - Y]), 0, 1),
    "a fade over the whole width": X,
    "a dithered fade": (X + RNG.integers(-1, 2, X.shape) / 255).clip(0, 1),
    "a fade from corner to corner": (X + Y) / 2,
    "a fade to both sides": 1 - np.abs(2 * X - 1),
    "a fade to all sides": 1 - RADIUS / RADIUS.max(),
    "a glow": np.exp(-((RADIUS / 0.25) ** 2) / 2),
    "a hole": 1 - DISC,
    "a translucent window": np.where(RADIUS < 0.35, 0.4, 1.0),
}
DATA = {
    "clear everywhere": np.zeros_like(X),
    "one value": np.full_like(X, 0.5),
    "low gloss": 0.15 * noise(2),
    "gloss": 0.2 + 0.6 * noise(2),
    "roughness": 0.5 + 0.5 * noise(2),
    "rough height": noise(1),
    "height": noise(3),
    "bumps of a twentieth of the side": noise(SIDE / 20),
    "curved bricks": np.minimum(np.abs(np.sin(20 * X)), np.abs(np.sin(30 * Y))) ** 0.3,
    "a faint mark on a picture": LETTERS,
}


def write(path: Path, color: np.ndarray, alpha: np.ndarray) -> Path:
    """Write RGBA of 8 bits by Pillow."""
    Image.fromarray(np.rint(np.dstack([color, alpha]) * 255).astype(np.uint8)).save(path)
    return path


def composite(path: Path, background: Any) -> np.ndarray:
    values = np.asarray(Image.open(path), np.float64) / 255
    return values[..., 3:] * values[..., :3] + (1 - values[..., 3:]) * np.array(background)


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparency_is_composited_and_kept(name: str, tmp_path: Path):
    path = write(tmp_path / "a.png", COLORS, TRANSPARENT[name])
    layer = images.load_with_alpha(path, background=(0.2, 0.4, 0.9))
    np.testing.assert_allclose(layer.color, composite(path, (0.2, 0.4, 0.9)), atol=1e-6)
    assert layer.alpha is not None
    np.testing.assert_allclose(layer.alpha[..., 0], np.asarray(Image.open(path).getchannel("A")) / 255, atol=1e-7)


@pytest.mark.parametrize("name", DATA)
def test_data_is_ignored_with_a_warning(name: str, tmp_path: Path):
    path = write(tmp_path / "stone.tga", COLORS, DATA[name])
    with pytest.warns(errors.TexjaxWarning, match=r"stone\.tga: its alpha .*--config\.source\.alpha=over") as caught:
        layer = images.load_with_alpha(path)
    assert len(caught) == 1 and str(caught[0].message).count(". ") == 0
    np.testing.assert_allclose(layer.color, np.asarray(Image.open(path).convert("RGB")) / 255, atol=1e-6)
    assert layer.alpha is None


@pytest.mark.parametrize("alpha", [X, LETTERS, 0.15 * noise(2)], ids=["a fade", "a watermark", "a shadow"])
def test_a_picture_of_one_color_is_nothing_but_its_alpha(alpha: np.ndarray, tmp_path: Path):
    path = write(tmp_path / "a.png", np.zeros_like(COLORS), alpha)
    np.testing.assert_allclose(images.load(path), composite(path, 1.0), atol=1e-6)


def test_an_opaque_picture_is_opaque_without_a_word(tmp_path: Path):
    path = write(tmp_path / "a.png", COLORS, np.ones_like(X))
    for mode in transparency.MODES:
        layer = images.load_with_alpha(path, alpha=mode)
        np.testing.assert_allclose(layer.color, np.rint(COLORS * 255) / 255, atol=1e-6)
        assert layer.alpha is None


@pytest.mark.parametrize("alpha", [DISC, noise(3)], ids=["a disc", "height"])
def test_the_other_modes(alpha: np.ndarray, tmp_path: Path):
    path = write(tmp_path / "a.png", COLORS, alpha)
    want = {"over": composite(path, 0.25), "ignore": np.rint(COLORS * 255) / 255, "keep": composite(path, 0.25)}
    for mode, color in want.items():
        layer = images.load_with_alpha(path, background=(0.25, 0.25, 0.25), alpha=mode)
        np.testing.assert_allclose(layer.color, color, atol=1e-6)
        np.testing.assert_array_equal(images.load(path, (0.25, 0.25, 0.25), alpha=mode), layer.color)
        assert (layer.alpha is not None) == (mode == "keep")
    with pytest.raises(errors.TexjaxError, match=r"unknown value of source\.alpha 'ower'; did you mean 'over'"):
        images.load(path, alpha="ower")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_is_upright_like_the_colors_and_shape_too(orientation: int, tmp_path: Path):
    values = (RNG.random((5, 8, 4)) * 255).astype(np.uint8)
    values[..., 3] = np.where(RNG.random((5, 8)) < 0.5, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name, exif=exif)
        layer = images.load_with_alpha(tmp_path / name)
        assert images.shape(tmp_path / name) == layer.color.shape[:2] == ((5, 8) if orientation < 5 else (8, 5))
        assert layer.alpha is not None
        np.testing.assert_allclose(layer.color[layer.alpha[..., 0] == 0], 1.0)
        assert (layer.color[layer.alpha[..., 0] == 1] < 1).any(-1).mean() > 0.9


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.ppm", "a.tga", "a.webp", "a.gif", "a.jp2", "a.bmp"])
def test_the_shape_without_decoding(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.fromarray((RNG.random((7, 11, 3)) * 255).astype(np.uint8)).save(tmp_path / name)
    assert images.load(tmp_path / name).shape[:2] == (7, 11)
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "load", None)
        assert images.shape(tmp_path / name) == (7, 11)
    with pytest.raises(errors.TexjaxError, match=r"11 x 7 = 77 pixels .* limit of 76; .*--config\.source\.max_pixels="):
        images.shape(tmp_path / name, 76)


def test_the_shape_of_deep_netpbm_and_of_no_picture(tmp_path: Path):
    (tmp_path / "a.pgm").write_bytes(b"P5 3 2 65535\n" + bytes(12))
    (tmp_path / "a.pam").write_bytes(b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nENDHDR\n" + bytes(6))
    assert images.shape(tmp_path / "a.pgm") == images.shape(tmp_path / "a.pam") == (2, 3)
    with pytest.raises(errors.TexjaxError, match="limit of 5"):
        images.shape(tmp_path / "a.pgm", 5)
    (tmp_path / "a.png").write_bytes(b"nothing of the kind" * 9)
    with pytest.raises(errors.TexjaxError, match=r"a\.png: this is no picture"):
        images.shape(tmp_path / "a.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_unblended_over_the_background_is_the_same_again(channels: int):
    """Where some color gives the image: it then lies within alpha of the background."""
    background = np.array([0.9, 0.6, 0.3])[:channels]
    alpha = np.where(DISC > 0, DISC, 0)[..., None].astype(np.float32)
    color = RNG.random((2, SIDE, SIDE, channels))
    stack = (alpha * color + (1 - alpha) * background).astype(np.float32)
    result = transparency.unblended(stack, alpha, background)
    assert result.shape == (2, SIDE, SIDE, channels + 1) and result.dtype == np.float32
    np.testing.assert_array_equal(result[0, ..., -1:], alpha)
    np.testing.assert_allclose(alpha * result[..., :-1] + (1 - alpha) * background, stack, atol=1e-6)
    firm = alpha[..., 0] > 0.05
    np.testing.assert_allclose(result[..., :-1][:, firm], color[:, firm], atol=1e-4)


def test_clear_pixels_have_the_color_of_the_nearest_that_shows():
    alpha = np.array([[0, 0, 1, 1, 0]], np.float32)[..., None]
    image = np.array([[0.9, 0.9, 0.1, 0.5, 0.9]], np.float32)[..., None].repeat(3, 2)
    result = transparency.unblended(image, alpha, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(result[0, :, 0], [0.1, 0.1, 0.1, 0.5, 0.5], atol=1e-7)
    nothing = transparency.unblended(image, np.zeros_like(alpha), (1.0, 1.0, 1.0))
    assert np.isfinite(nothing).all()


def test_colors_that_no_background_allows_are_clipped():
    image = np.full((1, 1, 3), 0.2, np.float32)  # (0.2 - 0.5) / 0.5 < 0
    result = transparency.unblended(image, np.full((1, 1, 1), 0.5, np.float32), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(result[0, 0], [0, 0, 0, 0.5])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("name", "bits"), [("a.png", 8), ("a.png", 16), ("a.tif", 8), ("a.jpg", 8)])
def test_saved_channels_are_as_others_read_them(name: str, bits: int, channels: int, tmp_path: Path):
    levels = RNG.integers(0, 2**bits, (6, 9, channels))
    if name == "a.jpg":
        if channels in (2, 4):
            return  # refused, see test_images.py
        levels = np.full_like(levels, 100)
    images.save(tmp_path / name, levels / (2**bits - 1), bits=bits, text={"texjax": "{}"})
    assert images.read_text(tmp_path / name) == {"texjax": "{}"}
    if bits == 8:
        with Image.open(tmp_path / name) as picture:
            assert picture.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
            np.testing.assert_allclose(np.asarray(picture).reshape(levels.shape), levels, atol=name == "a.jpg")
    if name == "a.png":
        width, height, rows, info = png.Reader(bytes=(tmp_path / name).read_bytes()).read()
        assert (width, height, info["bitdepth"], info["planes"]) == (9, 6, bits, channels)
        assert (info["greyscale"], info["alpha"]) == (channels < 3, channels in (2, 4))
        np.testing.assert_array_equal(np.array([list(row) for row in rows]).reshape(levels.shape), levels)
    if name == "a.tif":
        with tifffile.TiffFile(tmp_path / name) as file:
            page: Any = file.pages[0]
            np.testing.assert_array_equal(page.asarray().reshape(levels.shape), levels)
            assert tuple(page.extrasamples) == ((2,) if channels in (2, 4) else ())  # alpha that is not multiplied in


def test_the_cases(test_data: Path):
    """Gloss of 0 to 0.15, and a disc that is cut out."""
    with pytest.warns(errors.TexjaxWarning, match="gloss_in_alpha"):
        gloss = images.load(test_data / "cases" / "gloss_in_alpha.png")
    raw = np.asarray(Image.open(test_data / "cases" / "gloss_in_alpha.png"), np.float32) / 255
    np.testing.assert_allclose(gloss, raw[..., :3], atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        disc = images.load_with_alpha(test_data / "cases" / "transparent_background.png")
    assert disc.alpha is not None and (disc.color[0, 0] == 1).all()
