"""Reading and writing of image files, against Pillow, pypng and formulas of color science."""

import io
import struct
import warnings
import zlib

import hypothesis
import numpy as np
import png
import pytest
from handmade import profile, srgb, with_chunk, write_deep
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from texjax import atomic, errors, images

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (5, 7, 3)).astype(np.uint16)
DEEP[0, 0] = 257, 258, 511  # the last two are alike in 8 bits
WEIRD = b"\x00\x01\x02 hardly a picture " * 40


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "tga"])
def test_load_gives_the_pixels_of_lossless_formats(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(PIXELS).save(path, lossless=True)
    image = images.load(path)
    assert image.dtype == np.float32 and image.flags.c_contiguous
    np.testing.assert_allclose(image, PIXELS / 255, atol=1e-7)


def test_content_decides_and_not_the_suffix(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_allclose(images.load(tmp_path / "a.jpg"), PIXELS / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_is_repeated_over_the_channels(tmp_path, suffix):
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / f"gray.{suffix}")
    np.testing.assert_allclose(images.load(tmp_path / f"gray.{suffix}"), PIXELS[..., :1].repeat(3, 2) / 255, atol=1e-7)


def test_a_picture_of_one_bit(tmp_path):
    bits = PIXELS[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(images.load(tmp_path / "bits.png"), bits[..., None].repeat(3, 2))


def test_a_picture_of_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (255, 0, 51)).save(tmp_path / "a.png")
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), [[[1, 0, 0.2]]], atol=1e-7)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_shows_the_background(tmp_path, mode):
    picture = Image.fromarray(RNG.integers(0, 256, (4, 6, len(mode))).astype(np.uint8))
    picture.save(tmp_path / "a.png")
    values = np.asarray(picture, np.float64) / 255
    color, alpha = values[..., :-1], values[..., -1:]
    background = np.array([0.1, 0.5, 0.9])
    on_color = images.load(tmp_path / "a.png", background=(0.1, 0.5, 0.9), alpha="over")
    on_white = images.load(tmp_path / "a.png", alpha="over")
    np.testing.assert_allclose(on_color, alpha * color + (1 - alpha) * background, atol=1e-6)
    np.testing.assert_allclose(on_white, (alpha * color + 1 - alpha).repeat(3 // color.shape[2], 2), atol=1e-6)


def test_palette_with_transparency(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    picture.save(tmp_path / "p.png", transparency=bytes([255, 0, 51]))
    image = images.load(tmp_path / "p.png", background=(0.0, 0.0, 0.5), alpha="over")
    np.testing.assert_allclose(image, [[[1, 0, 0], [0, 0, 0.5], [0, 0, 0.2 + 0.8 * 0.5]]], atol=1e-6)


def test_one_transparent_color(tmp_path):
    Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)).save(tmp_path / "a.png", transparency=(4, 5, 6))
    expected = [[[1 / 255, 2 / 255, 3 / 255], [0.25, 0.5, 0.75]]]
    np.testing.assert_allclose(
        images.load(tmp_path / "a.png", background=(0.25, 0.5, 0.75), alpha="over"), expected, atol=1e-6
    )


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk_without_a_profile(tmp_path, suffix):
    Image.new("CMYK", (8, 8), (255, 0, 102, 0)).save(tmp_path / f"a.{suffix}", quality=100)
    np.testing.assert_allclose(images.load(tmp_path / f"a.{suffix}")[4, 4], [0, 1, 0.6], atol=1.1 / 255)


def test_a_lab_picture(tmp_path):
    # CIE Lab of sRGB's primaries under D50, L as 0 to 255; the last is a gray of L = 53.7.
    known = {(138, 81, 70): (1, 0, 0), (224, -79, 81): (0, 1, 0), (75, 68, -112): (0, 0, 1), (137, 0, 0): (0.503,) * 3}
    for (light, a, b), rgb in known.items():
        Image.new("LAB", (2, 2), (light, a + 128, b + 128)).save(tmp_path / "lab.tif")
        image = images.load(tmp_path / "lab.tif")[0, 0]
        np.testing.assert_allclose(image**2.2, np.array(rgb) ** 2.2, atol=0.04)  # Lab was rounded, gamma is steep at 0


@pytest.mark.parametrize("interlace", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_keeps_every_bit(tmp_path, channels, interlace):
    values = np.random.default_rng(channels).integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    path = write_deep(tmp_path / "deep.png", values, interlace=interlace)
    expected = values.astype(np.float64) / 65535
    if channels in (2, 4):
        expected = expected[..., :-1] * expected[..., -1:] + 0.25 * (1 - expected[..., -1:])
    image = images.load(path, background=(0.25, 0.25, 0.25), alpha="over")
    np.testing.assert_allclose(image, np.broadcast_to(expected, (9, 11, 3)), atol=2e-7)


def test_sixteen_bit_png_with_one_transparent_color(tmp_path):
    values = np.array([[[257, 258, 511], [257, 258, 510]]], np.uint16)
    path = write_deep(tmp_path / "deep.png", values, transparent=(257, 258, 511))
    expected = [[[0, 0, 0], [257 / 65535, 258 / 65535, 510 / 65535]]]
    np.testing.assert_allclose(images.load(path, background=(0.0, 0.0, 0.0), alpha="over"), expected, atol=1e-7)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.pgm"])
def test_sixteen_bit_gray_through_pillow(tmp_path, name):
    Image.fromarray(DEEP[..., 0]).save(tmp_path / name)
    np.testing.assert_allclose(images.load(tmp_path / name)[..., 1], DEEP[..., 0] / 65535, atol=1e-7)


def test_integers_and_floats(tmp_path):
    Image.fromarray(DEEP[..., 0].astype(np.int32)).save(tmp_path / "i.tif")
    np.testing.assert_allclose(images.load(tmp_path / "i.tif")[..., 2], DEEP[..., 0] / 65535, atol=1e-7)
    floats = (DEEP[..., 0] / 65535).astype(np.float32)
    Image.fromarray(floats).save(tmp_path / "f.tif")
    np.testing.assert_array_equal(images.load(tmp_path / "f.tif")[..., 0], floats)


@pytest.mark.parametrize(
    "values", [np.array([[0, 1.5]], np.float32), np.array([[0, np.nan]], np.float32), np.array([[0, 70000]], np.int32)]
)
def test_values_out_of_range_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(errors.TexjaxError, match=r"a\.tif: got gray values from .* possible are 0 to (1|65535);"):
        images.load(tmp_path / "a.tif")


def deep_tiff(values):
    """A TIFF of 16-bit RGB made by hand, as Pillow writes none."""
    h, w = values.shape[:2]
    entries = [(256, 3, 1, w), (257, 3, 1, h), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 140)]
    entries += [(277, 3, 1, 3), (278, 3, 1, h), (279, 4, 1, values.nbytes), (284, 3, 1, 1)]
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        struct.pack("<2sHIH", b"II", 42, 8, len(entries))
        + body
        + bytes(4)
        + struct.pack("<3H", 16, 16, 16)
        + values.tobytes()
    )


def test_a_deep_color_tiff_keeps_every_bit(tmp_path):
    (tmp_path / "a.tif").write_bytes(deep_tiff(DEEP))
    np.testing.assert_allclose(images.load(tmp_path / "a.tif"), DEEP / 65535, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "deep"])
def test_exif_orientation(tmp_path, orientation, suffix):
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3)[..., None].repeat(3, 2) * 40
    # The comments name the sides of the upright picture that row 0 and column 0 of the file show (EXIF 2.3, 4.6.4 A).
    stored = {
        1: upright,  # top, left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.transpose(1, 0, 2),  # left, top
        6: upright.transpose(1, 0, 2)[::-1],  # right, top: the first row holds the right side
        7: upright.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
        8: upright.transpose(1, 0, 2)[:, ::-1],  # left, bottom
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    if suffix == "deep":
        write_deep(path, stored.astype(np.uint16) * 257)
        path.write_bytes(with_chunk(path.read_bytes(), b"eXIf", exif.tobytes()[6:]))
    else:
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        np.testing.assert_array_equal(ImageOps.exif_transpose(Image.open(path)), upright)
    np.testing.assert_allclose(images.load(path), upright / 255, atol=1e-7)


def test_a_color_profile_is_converted(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=profile(1.8, swap=True))
    expected = srgb((PIXELS[..., ::-1] / 255.0) ** (461 / 256))  # curves are stored in steps of 1/256
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), expected, atol=1.6 / 255)


def test_a_color_profile_is_converted_without_steps_in_sixteen_bits(tmp_path):
    ramp = np.linspace(8000, 60000, 4000).astype(np.uint16)
    values = np.stack([ramp, ramp[::-1], ramp // 2 + 15000], -1)[None]
    path = write_deep(tmp_path / "deep.png", values)
    path.write_bytes(with_chunk(path.read_bytes(), b"iCCP", b"p\0\0" + zlib.compress(profile(1.8, swap=True))))
    image = images.load(path)
    np.testing.assert_allclose(image, srgb((values[..., ::-1] / 65535.0) ** (461 / 256)), atol=1.2 / 255)
    assert len(np.unique(image[..., 2])) > 3000
    assert np.diff(image[0, :, 2]).max() < 0.1 / 255


def test_a_gray_profile_is_converted_in_eight_and_sixteen_bits(tmp_path):
    ramp = np.arange(256, dtype=np.uint16)[None]
    expected = srgb((ramp / 255.0) ** (461 / 256))
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "8.png", icc_profile=profile(1.8, gray=True))
    write_deep(tmp_path / "16.png", ramp * 257)
    chunk = b"p\0\0" + zlib.compress(profile(1.8, gray=True))
    (tmp_path / "16.png").write_bytes(with_chunk((tmp_path / "16.png").read_bytes(), b"iCCP", chunk))
    np.testing.assert_allclose(images.load(tmp_path / "8.png")[..., 0], expected, atol=1.6 / 255)
    opaque = np.stack([ramp, np.full_like(ramp, 255)], -1).astype(np.uint8)
    Image.fromarray(opaque).save(tmp_path / "la.png", icc_profile=profile(1.8, gray=True))
    np.testing.assert_allclose(images.load(tmp_path / "la.png")[..., 0], expected, atol=1.6 / 255)
    np.testing.assert_allclose(images.load(tmp_path / "16.png")[..., 1], expected, atol=1.6 / 255)


def test_an_srgb_profile_changes_no_level(tmp_path):
    ours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    many = np.random.default_rng(2).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    for data in (ours, profile(None)):
        Image.fromarray(many).save(tmp_path / "a.png", icc_profile=data)
        np.testing.assert_allclose(images.load(tmp_path / "a.png"), many / 255, atol=1e-7)
        write_deep(tmp_path / "deep.png", DEEP)
        chunk = b"p\0\0" + zlib.compress(data)
        (tmp_path / "deep.png").write_bytes(with_chunk((tmp_path / "deep.png").read_bytes(), b"iCCP", chunk))
        np.testing.assert_allclose(images.load(tmp_path / "deep.png"), DEEP / 65535, atol=1e-7)


@pytest.mark.parametrize(
    ("data", "match"), [(b"nonsense", "broken color profile"), (profile(1.8, gray=True), "unusable GRAY color profile")]
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_bad_profile_is_ignored_with_a_warning(tmp_path, data, match, deep):
    if deep:
        write_deep(tmp_path / "a.png", PIXELS.astype(np.uint16) * 257)
        chunk = b"p\0\0" + zlib.compress(data)
        (tmp_path / "a.png").write_bytes(with_chunk((tmp_path / "a.png").read_bytes(), b"iCCP", chunk))
    else:
        Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=data)
    with pytest.warns(UserWarning, match=match):
        image = images.load(tmp_path / "a.png")
    np.testing.assert_allclose(image, PIXELS / 255, atol=1e-7)


def test_an_rgb_profile_in_a_gray_picture(tmp_path):
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "a.png", icc_profile=profile(1.8))
    expected = srgb((PIXELS[..., :1] / 255.0) ** (461 / 256)).repeat(3, 2)
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), expected, atol=1.6 / 255)


def damaged(tmp_path, kind):
    """Write a bad input of this kind, unless it is to be missing, and return its path."""
    path = tmp_path / "a.png"
    whole, deep = io.BytesIO(), write_deep(tmp_path / "deep.png", DEEP)
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8)).save(whole, "PNG")
    jpeg = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8)).save(jpeg, "JPEG")
    contents = {
        "empty": b"",
        "text": b"not a picture, just words\n",
        "binary": WEIRD,
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "signature": whole.getvalue()[:8],
        "header": whole.getvalue()[:20],
        "half": whole.getvalue()[: len(whole.getvalue()) // 2],
        "half jpeg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "half deep": deep.read_bytes()[:150],
        "half tiff": deep_tiff(DEEP)[:200],
        "no tiff tags": deep_tiff(DEEP)[:10],
        "bad zlib": with_chunk(whole.getvalue(), b"IDAT", b"garbage"),
        "bad deep zlib": with_chunk(deep.read_bytes(), b"IDAT", b"garbage"),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    return path if kind != "folder" else tmp_path


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("missing", "no such file"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "no picture texjax can read; convert it"),
        ("binary", "no picture texjax can read; convert it"),
        ("eps", "no picture texjax can read; convert it"),
        ("signature", "no picture texjax can read|damaged or cut short"),
        ("header", "no picture texjax can read|damaged or cut short"),
        ("half", "damaged or cut short"),
        ("half jpeg", "damaged or cut short"),
        ("half deep", "damaged or cut short"),
        ("half tiff", "damaged or cut short"),
        ("no tiff tags", "no picture texjax can read|damaged or cut short"),
        ("bad zlib", "damaged or cut short"),
        ("bad deep zlib", "damaged or cut short"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path, kind, match):
    path = damaged(tmp_path, kind)
    with pytest.raises(errors.TexjaxError, match=match) as caught:
        images.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and message.endswith(".") and "\n" not in message
    assert not isinstance(caught.value, errors.EnvironmentFault)


@hypothesis.given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["PNG", "JPEG", "TIFF", "GIF", "deep"]))
@hypothesis.settings(max_examples=80)
def test_no_damaged_byte_escapes_as_another_error(tmp_path_factory, place, value, kind):
    path = tmp_path_factory.mktemp("flip") / "a"
    if kind == "deep":
        write_deep(path, DEEP)
    else:
        Image.fromarray(PIXELS).save(path, format=kind)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = value
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow may warn of damaged metadata, and that is no failure
        try:
            assert images.load(path).shape[2] == 3
        except errors.TexjaxError as error:
            assert "\n" not in str(error)


def test_a_file_without_read_permission_is_the_environments_fault(tmp_path, monkeypatch):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)
    with pytest.raises(
        errors.EnvironmentFault, match=r"cannot be read \(Permission denied\); check the permissions of the file\."
    ):
        images.load(tmp_path / "a.png")


def test_the_limit_of_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 17)
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png", max_pixels=35).shape == (5, 7, 3)
    with pytest.raises(
        errors.TexjaxError, match=r"7 x 5 = 35 pixels .* limit of 34; .* --config\.source\.max_pixels=N"
    ):
        images.load(tmp_path / "a.png", max_pixels=34)
    with pytest.raises(errors.TexjaxError, match=r"14 x 10 = 140 pixels .* limit of 139"):
        images.load(tmp_path / "a.png", max_pixels=139, scale=2.0)
    assert Image.MAX_IMAGE_PIXELS == 17


def test_the_default_limit_is_pillows():
    assert images.MAX_PIXELS == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (dict(scale=2.0), (10, 14, 3)),
        (dict(scale=0.5), (2, 4, 3)),  # halves round to even
        (dict(width=21), (15, 21, 3)),
        (dict(width=21, scale=0.5), (15, 21, 3)),
        (dict(scale=0.01), (1, 1, 3)),
        (dict(scale=1.0), (5, 7, 3)),
    ],
)
def test_resize_keeps_the_proportions(tmp_path, settings, shape):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png", **settings).shape == shape


def test_resize_is_lanczos_on_floats(tmp_path):
    deep = np.random.default_rng(1).integers(0, 65536, (12, 12, 3)).astype(np.uint16)
    image = images.load(write_deep(tmp_path / "a.png", deep), scale=0.5)
    centers = 2 * np.arange(6) + 0.5
    offsets = (np.arange(12)[None] - centers[:, None]) / 2  # the kernel is as much wider as the picture gets smaller
    kernel = np.where(np.abs(offsets) < 3, np.sinc(offsets) * np.sinc(offsets / 3), 0)
    kernel /= kernel.sum(1, keepdims=True)
    expected = np.einsum("iy,jx,yxc->ijc", kernel, kernel, deep / 65535)
    np.testing.assert_allclose(image, expected.clip(0, 1), atol=1e-5)


def test_resize_is_clipped(tmp_path):
    step = np.zeros((4, 8, 3), np.uint8)
    step[:, 4:] = 255
    Image.fromarray(step).save(tmp_path / "a.png")
    image = images.load(tmp_path / "a.png", scale=4.0)
    assert image.min() == 0 and image.max() == 1


def test_resize_of_an_array_equals_that_of_a_file(tmp_path):
    deep = np.random.default_rng(1).integers(0, 65536, (12, 10, 3)).astype(np.uint16)
    write_deep(tmp_path / "a.png", deep)
    expected = images.load(tmp_path / "a.png", width=15)
    resized = images.resize((deep / 65535).astype(np.float32), width=15)
    assert resized.shape == (18, 15, 3)
    np.testing.assert_allclose(resized, expected, atol=1e-6)


def test_resize_without_a_size_only_clips():
    values = np.linspace(-0.5, 1.5, 60).reshape(4, 5, 3)
    resized = images.resize(values)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.clip(values, 0, 1), atol=1e-7)


@pytest.mark.parametrize("settings", [dict(scale=0.0), dict(scale=-1.0), dict(scale=float("nan")), dict(width=0)])
def test_resize_to_nothing_is_refused(tmp_path, settings):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with pytest.raises(errors.TexjaxError, match="give a number above 0"):
        images.load(tmp_path / "a.png", **settings)


def test_sources_expands_folders(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.txt", ".hidden.png", "d.jfif", "e.pnm", "f.pam", "g.pfm"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.png").touch()
    single = tmp_path / "sub" / "d.png"
    pictures = [tmp_path / name for name in ("a.jpg", "b.PNG", "d.jfif", "e.pnm", "f.pam", "g.pfm")]
    assert images.sources([single, tmp_path]) == [single, *pictures]
    assert images.sources(str(tmp_path)) == pictures
    assert images.sources([tmp_path], extensions=[".txt"]) == [tmp_path / "c.txt"]
    assert images.sources([tmp_path / "c.txt"]) == [tmp_path / "c.txt"]


def test_sources_refuses_missing_paths_and_folders_without_pictures(tmp_path):
    with pytest.raises(errors.TexjaxError, match="nowhere: no such file or folder"):
        images.sources([tmp_path / "nowhere"])
    (tmp_path / "a.txt").touch()
    with pytest.raises(errors.TexjaxError, match=r"holds no pictures; .*\.png"):
        images.sources([tmp_path])


def assert_quantized(loaded, image, levels):
    """Assert that `loaded` is `image` clipped and rounded to the nearest of `levels` + 1 levels."""
    error = np.abs(loaded.astype(np.float64) - image.astype(np.float64).clip(0, 1))
    assert error.max() <= 0.5 / levels + 6e-8  # half a level, and the rounding of a float32 below 1


@hypothesis.given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)),
        elements=st.floats(-0.5, 1.5, width=32),
    ),
    st.sampled_from([(8, "png"), (16, "png"), (8, "tif"), (8, "TIFF")]),
)
@hypothesis.settings(max_examples=80)
def test_saved_images_are_loaded_unchanged_but_for_rounding(tmp_path_factory, image, kind):
    bits, suffix = kind
    path = tmp_path_factory.mktemp("round") / f"a.{suffix}"
    images.save(path, image, bits=bits)
    assert_quantized(images.load(path), image, 2**bits - 1)


def test_sixteen_bits_are_as_pypng_reads_them(tmp_path):
    images.save(tmp_path / "a.png", DEEP / 65535, bits=16, text={"texjax": "{}"})
    width, height, rows, info = png.Reader(bytes=(tmp_path / "a.png").read_bytes()).read()
    assert (width, height, info["bitdepth"], info["planes"]) == (7, 5, 16, 3)
    np.testing.assert_array_equal(np.array([list(row) for row in rows]).reshape(5, 7, 3), DEEP)


def test_eight_bits_are_as_pillow_reads_them(tmp_path):
    for name in ("a.png", "a.tif"):
        images.save(tmp_path / name, (PIXELS + np.float32(0.4)) / 255)
        with Image.open(tmp_path / name) as picture:
            assert picture.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(picture), PIXELS)


def test_jpeg_keeps_fine_color(tmp_path):
    # Alternating red and blue columns would turn purple if color were kept at half resolution.
    stripes = np.zeros((16, 16, 3), np.float32)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 0.8, 0.8
    images.save(tmp_path / "a.jpg", stripes)
    assert np.abs(images.load(tmp_path / "a.jpg") - stripes).mean() < 0.02
    images.save(tmp_path / "b.jpeg", stripes, quality=20)
    assert (tmp_path / "b.jpeg").stat().st_size < (tmp_path / "a.jpg").stat().st_size


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("text", [{"texjax": '{"size": [512, 512], "née": "ü☃\\n"}', "other": "two\nlines"}, {}])
def test_text_comes_back(tmp_path, name, text):
    images.save(tmp_path / name, PIXELS / 255, text=text)
    assert images.read_text(tmp_path / name) == text
    assert np.abs(images.load(tmp_path / name) - PIXELS / 255).mean() < 0.05


def test_pillow_finds_the_text_in_a_deep_png(tmp_path):
    images.save(tmp_path / "a.png", DEEP / 65535, bits=16, text={"texjax": "ü"})
    assert images.read_text(tmp_path / "a.png") == {"texjax": "ü"}
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["texjax"] == "ü"


def test_comments_of_other_programs(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", comment=b"made by hand")
    assert images.read_text(tmp_path / "a.jpg") == {"comment": "made by hand"}
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[270] = "[1, 2]"
    Image.fromarray(PIXELS).save(tmp_path / "a.tif", tiffinfo=info)
    assert images.read_text(tmp_path / "a.tif") == {"comment": "[1, 2]"}
    Image.fromarray(PIXELS).save(tmp_path / "a.webp")
    assert images.read_text(tmp_path / "a.webp") == {}
    with pytest.raises(errors.TexjaxError, match="no such file"):
        images.read_text(tmp_path / "b.png")


@pytest.mark.parametrize("settings", [dict(), dict(bits=16), dict(text={"texjax": "{}"})])
def test_the_same_image_gives_the_same_bytes(tmp_path, settings):
    for name in ("a.png", "b.png"):
        images.save(tmp_path / name, PIXELS / 255, **settings)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "image", "settings", "match"),
    [
        ("a.gif", np.zeros((2, 2, 3)), {}, r"cannot write '\.gif' files; use \.png, \.jpg or \.tif"),
        ("a", np.zeros((2, 2, 3)), {}, "cannot write '' files"),
        ("a.jpg", np.zeros((2, 2, 3)), dict(bits=16), "cannot write 16 bits as JPEG"),
        ("a.tif", np.zeros((2, 2, 3)), dict(bits=16), r"bits=16 with \.png"),
        ("a.png", np.zeros((2, 2, 3)), dict(bits=12), "cannot write 12 bits"),
        ("a.png", np.zeros((2, 2)), {}, r"cannot write float64 \[2, 2\] as an image"),
        ("a.png", np.zeros((2, 2, 5)), {}, r"\[2, 2, 5\]"),
        ("a.jpg", np.zeros((2, 2, 4)), {}, r"JPEG holds no alpha, and the image is \[2, 2, 4\]"),
        ("a.jpg", np.zeros((2, 2, 2)), {}, r"JPEG holds no alpha, and the image is \[2, 2, 2\]"),
        ("a.png", np.zeros((0, 2, 3)), {}, r"\[0, 2, 3\]"),
        ("a.png", PIXELS, {}, "cannot write uint8"),
        ("a.png", np.full((2, 2, 3), np.nan), {}, "holds NaN or infinity and is not written"),
        ("a.jpg", np.zeros((2, 2, 3)), dict(text={"long": "x" * 70000}), "cannot be written as JPEG"),
        ("a.png", np.zeros((2, 2, 3)), dict(text={"": "x"}), "cannot be written as PNG"),
        ("a.png", np.zeros((2, 2, 3)), dict(text={"☃": "x"}), "cannot be written as PNG"),
        ("a.jpg", np.zeros((1, 70000, 3)), {}, "cannot be written as JPEG"),
    ],
)
def test_images_and_formats_that_cannot_be_saved(tmp_path, name, image, settings, match):
    with pytest.raises(errors.TexjaxError, match=match):
        images.save(tmp_path / name, image, **settings)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    images.save(tmp_path / "a.png", PIXELS / 255)
    before = (tmp_path / "a.png").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(errors.EnvironmentFault, match=r"a\.png.*No space left on device"):
        images.save(tmp_path / "a.png", np.zeros((9, 9, 3)))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


def test_saving_into_no_folder_is_the_environments_fault(tmp_path):
    with pytest.raises(errors.EnvironmentFault, match="No such file or directory"):
        images.save(tmp_path / "nowhere" / "a.png", PIXELS / 255)
