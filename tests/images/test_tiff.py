"""TIFF of every depth and arrangement, against arrays that are written by hand, and by tifffile and imagecodecs."""

import io
import struct
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from handmade import cmyk_profile

from texjax import errors, images

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 11, 9
MIN_IS_WHITE, MIN_IS_BLACK, RGB, CMYK = 0, 1, 2, 5
UNSPECIFIED, PREMULTIPLIED, ALPHA = 0, 1, 2
GRAY_BACKGROUND = (0.25, 0.25, 0.25)
LZW, DEFLATE = 5, 8


def write(path, values, photometric, *, planar=False, extra=(), compression=1, order="<", tags=()):
    """Write values [h, w, c] as a TIFF of strips of 4 lines, by the words of the specification alone."""
    height, width, channels = values.shape
    form = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    planes = [values[..., [k]] for k in range(channels)] if planar else [values]
    raw = [
        plane[y : y + 4].astype(values.dtype.newbyteorder(order)).tobytes()
        for plane in planes
        for y in range(0, height, 4)
    ]
    strips = [{1: bytes, DEFLATE: zlib.compress, LZW: imagecodecs.lzw_encode}[compression](strip) for strip in raw]
    starts = np.cumsum([8, *map(len, strips)])[:-1].tolist()
    entries = [
        (256, "I", [width]), (257, "I", [height]), (258, "H", [8 * values.itemsize] * channels),
        (259, "H", [compression]), (262, "H", [photometric]), (273, "I", starts), (277, "H", [channels]),
        (278, "I", [4]),
        (279, "I", list(map(len, strips))), (284, "H", [2 if planar else 1]), (339, "H", [form] * channels), *tags,
    ]  # fmt: skip
    if extra:
        entries.append((338, "H", list(extra)))
    entries.sort()
    body, place = b"".join(strips), 8 + sum(map(len, strips))
    body, place = body + bytes(place % 2), place + place % 2
    behind, table = b"", b""
    for tag, code, numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        at = place + 2 + 12 * len(entries) + 4 + len(behind)
        behind += packed if len(packed) > 4 else b""
        field = struct.pack(f"{order}I", at) if len(packed) > 4 else packed.ljust(4, b"\0")
        table += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4, "B": 7}[code], len(numbers)) + field
    directory = struct.pack(f"{order}H", len(entries)) + table + bytes(4) + behind
    mark = b"II" if order == "<" else b"MM"
    path.write_bytes(struct.pack(f"{order}2sHI", mark, 42, place) + body + directory)
    return path


def levels(kind, channels):
    """Random values [h, w, c] of a type, and what they mean in [0, 1]."""
    if np.dtype(kind).kind == "f":
        values = RNG.random((HEIGHT, WIDTH, channels)).astype(kind)
        return values, values.astype(np.float64)
    white = np.iinfo(kind).max
    values = RNG.integers(0, white, (HEIGHT, WIDTH, channels), dtype=kind, endpoint=True)
    values.flat[:2] = 0, white
    return values, values / white


def over_gray(color, alpha):
    return alpha * color + 0.25 * (1 - alpha)


def naive_rgb(cmyk):
    return (1 - cmyk[..., :3]) * (1 - cmyk[..., 3:4])


def tolerance(kind):
    """Rounding of float32; 8 bits of CMYK are converted in 8 bits, by Pillow."""
    return 1.5 / 255 if np.dtype(kind) == np.uint8 else 2e-3 if np.dtype(kind) == np.float16 else 1e-6


KINDS = ("uint8", "uint16", "uint32", "float16", "float32", "float64")
ARRANGEMENTS = [(planar, compression) for planar in (False, True) for compression in (1, DEFLATE, LZW)]


@pytest.mark.parametrize(("planar", "compression"), ARRANGEMENTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_rgb(tmp_path, kind, channels, planar, compression):
    values, expected = levels(kind, channels)
    photometric = RGB if channels == 3 else MIN_IS_BLACK
    path = write(tmp_path / "a.tif", values, photometric, planar=planar, compression=compression)
    np.testing.assert_allclose(images.load(path), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), atol=1e-7)


@pytest.mark.parametrize(("planar", "compression"), ARRANGEMENTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha(tmp_path, kind, channels, planar, compression):
    values, expected = levels(kind, channels + 1)
    photometric = RGB if channels == 3 else MIN_IS_BLACK
    path = write(tmp_path / "a.tif", values, photometric, planar=planar, compression=compression, extra=[ALPHA])
    expected = np.broadcast_to(over_gray(expected[..., :-1], expected[..., -1:]), (HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(images.load(path, background=GRAY_BACKGROUND, alpha="over"), expected, atol=2e-7)


@pytest.mark.parametrize(("planar", "compression"), ARRANGEMENTS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_color_that_was_multiplied_by_alpha(tmp_path, kind, channels, planar, compression):
    color, alpha = RNG.random((HEIGHT, WIDTH, channels)), 0.5 + 0.5 * RNG.random((HEIGHT, WIDTH, 1))
    alpha[0, 0] = 0
    stored = np.concatenate([color * alpha, alpha], -1)
    white = 1 if np.dtype(kind).kind == "f" else np.iinfo(kind).max
    values = (stored if white == 1 else np.rint(stored * white)).astype(kind)
    photometric = RGB if channels == 3 else MIN_IS_BLACK
    path = write(tmp_path / "a.tif", values, photometric, planar=planar, compression=compression, extra=[PREMULTIPLIED])
    expected = np.broadcast_to(over_gray(color, alpha), (HEIGHT, WIDTH, 3))
    rounding = {"uint8": 1.5 / 255, "uint16": 1.5 / 65535, "float16": 2e-3, "float32": 1e-6}[kind]
    np.testing.assert_allclose(images.load(path, background=GRAY_BACKGROUND, alpha="over"), expected, atol=rounding)


@pytest.mark.parametrize(("planar", "compression"), ARRANGEMENTS)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("alpha", [False, True])
def test_cmyk(tmp_path, kind, alpha, planar, compression):
    values, expected = levels(kind, 4 + alpha)
    extra = [ALPHA] if alpha else []
    path = write(tmp_path / "a.tif", values, CMYK, planar=planar, compression=compression, extra=extra)
    rgb = naive_rgb(expected)
    rgb = over_gray(rgb, expected[..., 4:]) if alpha else rgb
    rounding = 1.1 / 255 if kind == "uint8" else 1e-6  # 8 bits stay 8 bits
    np.testing.assert_allclose(images.load(path, background=GRAY_BACKGROUND, alpha="over"), rgb, atol=rounding)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("alpha", [False, True])
def test_cmyk_with_a_profile_is_as_little_cms_converts_it(tmp_path, kind, alpha):
    values, expected = levels(kind, 4 + alpha)
    icc = cmyk_profile()
    tags = [(34675, "B", list(icc))]
    path = write(tmp_path / "a.tif", values, CMYK, extra=[ALPHA] if alpha else [], tags=tags)
    inks = np.rint(expected[..., :4] * 65535).astype(np.uint16)
    target = imagecodecs.cms_profile("srgb")
    rgb = imagecodecs.cms_transform(inks, icc, target, colorspace="cmyk", outcolorspace="rgb", intent=0) / 65535
    rgb = over_gray(rgb, expected[..., 4:]) if alpha else rgb
    error = np.abs(images.load(path, background=GRAY_BACKGROUND, alpha="over") - rgb) * 255
    assert error.mean() < 0.5 and error.max() < 4.5


@pytest.mark.parametrize("compression", [1, DEFLATE, LZW])
@pytest.mark.parametrize("kind", KINDS)
def test_gray_whose_zero_is_white(tmp_path, kind, compression):
    values, expected = levels(kind, 1)
    path = write(tmp_path / "a.tif", values, MIN_IS_WHITE, compression=compression)
    np.testing.assert_allclose(images.load(path)[..., :1], 1 - expected, atol=1e-7)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", KINDS)
def test_byte_orders(tmp_path, kind, order):
    values, expected = levels(kind, 3)
    path = write(tmp_path / "a.tif", values, RGB, planar=True, order=order)
    np.testing.assert_allclose(images.load(path), expected, atol=1e-7)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "settings", [{}, dict(tile=(16, 16)), dict(compression="zlib", predictor=True), dict(compression="zstd")]
)
def test_bigtiff_tiles_and_predictors_as_tifffile_writes_them(tmp_path, kind, order, settings):
    values, expected = levels(kind, 3)
    for bigtiff in (False, True):
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", byteorder=order, bigtiff=bigtiff, **settings)
        np.testing.assert_allclose(images.load(tmp_path / "a.tif"), expected, atol=1e-7)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize(("name", "channels"), [("minisblack", 1), ("rgb", 3)])
def test_samples_that_share_bytes(tmp_path, bits, name, channels):
    values = RNG.integers(0, 2**bits, (HEIGHT, WIDTH, channels)).astype(np.uint16)
    stored = values if channels == 3 else values[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=name, bitspersample=bits)
    expected = np.broadcast_to(values / (2**bits - 1), (HEIGHT, WIDTH, 3))
    np.testing.assert_allclose(images.load(tmp_path / "a.tif"), expected, atol=1e-7)


def test_a_big_endian_bigtiff_that_only_pillow_could_read_is_named(tmp_path):
    values = levels("uint8", 3)[0]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression="jpeg", bigtiff=True, byteorder=">")
    with pytest.raises(errors.TexjaxError, match=r"a big-endian BigTIFF of 3 x 8 bits \(YCBCR, JPEG\) cannot be read"):
        images.load(tmp_path / "a.tif")


def test_extra_channels_that_are_no_alpha_are_left_out(tmp_path):
    values, expected = levels("uint16", 5)
    path = write(tmp_path / "a.tif", values, RGB, extra=[UNSPECIFIED, UNSPECIFIED])
    np.testing.assert_allclose(images.load(path), expected[..., :3], atol=1e-7)


def test_a_single_extra_channel_without_its_tag_is_alpha(tmp_path):
    values, expected = levels("uint16", 4)
    path = write(tmp_path / "a.tif", values, RGB)
    rgb = over_gray(expected[..., :3], expected[..., 3:])
    np.testing.assert_allclose(images.load(path, background=GRAY_BACKGROUND, alpha="over"), rgb, atol=2e-7)


def test_small_integers_in_32_bits_are_16_bits(tmp_path):
    values = RNG.integers(0, 65536, (4, 5, 3)).astype(np.uint32)
    path = write(tmp_path / "a.tif", values, RGB)
    np.testing.assert_allclose(images.load(path), values / 65535, atol=1e-7)


@pytest.mark.parametrize("values", [np.full((2, 2, 3), 1.5, np.float32), np.full((2, 2, 3), -1, np.int16)])
def test_values_without_a_known_scale_are_refused(tmp_path, values):
    path = write(tmp_path / "a.tif", values, RGB)
    with pytest.raises(errors.TexjaxError, match=r"a\.tif: got values from .* possible are 0 to (1|32767); scale them"):
        images.load(path)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_the_largest_page_is_read_and_not_the_thumbnail(tmp_path, kind):
    values, expected = levels(kind, 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in (values[::4, ::4], values, np.zeros_like(values)):
            writer.write(np.ascontiguousarray(page), photometric="rgb", metadata=None)
    np.testing.assert_allclose(images.load(tmp_path / "a.tif"), expected, atol=1e-7)


def test_a_large_picture_within_a_page(tmp_path):
    values, expected = levels("uint16", 3)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.ascontiguousarray(values[::4, ::4]), photometric="rgb", subifds=1, metadata=None)
        writer.write(values, photometric="rgb", metadata=None)
    np.testing.assert_allclose(images.load(tmp_path / "a.tif"), expected, atol=1e-7)


def test_the_orientation_of_a_deep_picture(tmp_path):
    values, expected = levels("uint16", 3)
    path = write(tmp_path / "a.tif", values, RGB, tags=[(274, "H", [6])])  # row 0 holds the right side: turn clockwise
    np.testing.assert_allclose(images.load(path), np.rot90(expected, -1), atol=1e-7)


def test_the_description_of_a_bigtiff(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", levels("uint16", 3)[0], bigtiff=True, byteorder=">", description="made by hand"
    )
    assert images.read_text(tmp_path / "a.tif") == {"comment": "made by hand"}


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "jpegxl"])
def test_unknown_compressions_are_named(tmp_path, compression):
    tifffile.imwrite(tmp_path / "a.tif", levels("uint8", 3)[0], photometric="rgb", compression=compression)
    with pytest.raises(
        errors.TexjaxError, match=rf"a TIFF of 3 x 8 bits \(RGB, {compression.upper()}\) cannot be read"
    ):
        images.load(tmp_path / "a.tif")


def test_jpeg_in_tiff(tmp_path):
    smooth = np.broadcast_to(np.linspace(0, 255, 32)[:, None, None], (32, 32, 3)).astype(np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth, photometric="rgb", compression="jpeg", compressionargs={"level": 100})
    np.testing.assert_allclose(images.load(path), smooth / 255, atol=3 / 255)


@pytest.fixture
def no_imagecodecs(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)


def test_without_imagecodecs_lzw_keeps_8_of_16_bits_and_says_so(tmp_path, no_imagecodecs):
    values, expected = levels("uint16", 3)
    path = write(tmp_path / "a.tif", values, RGB, compression=LZW)
    with pytest.warns(
        errors.TexjaxWarning, match=r"a\.tif: 16 bits per channel were reduced to 8; pip install 'texjax"
    ):
        image = images.load(path)
    np.testing.assert_allclose(image, expected, atol=1 / 255)
    path = write(tmp_path / "gray.tif", values[..., :1], MIN_IS_BLACK, compression=LZW)
    np.testing.assert_allclose(images.load(path)[..., :1], expected[..., :1], atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "photometric", "extra", "planar"),
    [
        ("uint16", MIN_IS_WHITE, [], False),
        ("uint16", MIN_IS_BLACK, [ALPHA], False),
        ("uint8", MIN_IS_BLACK, [ALPHA], True),
        ("uint8", MIN_IS_BLACK, [PREMULTIPLIED], False),
        ("uint32", MIN_IS_BLACK, [], False),
        ("float32", RGB, [], False),
        ("uint16", CMYK, [ALPHA], False),
    ],
)
def test_without_imagecodecs_the_error_names_it(tmp_path, no_imagecodecs, kind, photometric, extra, planar):
    channels = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3, CMYK: 4}[photometric] + len(extra)
    values = levels(kind, channels)[0]
    path = write(tmp_path / "a.tif", values, photometric, extra=extra, planar=planar, compression=LZW)
    with pytest.raises(errors.TexjaxError, match=r"LZW\) needs the package imagecodecs; .* 'texjax\[codecs\]'"):
        images.load(path)


@pytest.mark.parametrize("codecs", [True, False])
def test_strips_that_hold_too_much_or_too_little(tmp_path, codecs, request):
    if not codecs:
        request.getfixturevalue("no_imagecodecs")
    values = levels("uint16", 3)[0]
    whole = write(tmp_path / "a.tif", values, RGB, compression=DEFLATE).read_bytes()
    first = len(zlib.compress(values[:4].tobytes()))
    bomb = zlib.compress(bytes(1 << 24))[:first]  # inflates to more than the strip, and is cut
    for data in (
        whole[:8] + bomb.ljust(first, b"\0") + whole[8 + first :],
        whole[:8] + bytes(first) + whole[8 + first :],
    ):
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(errors.TexjaxError, match="damaged or cut short"):
            images.load(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [1, DEFLATE])
def test_claims_of_a_huge_picture_take_no_memory(tmp_path, compression):
    path = write(tmp_path / "a.tif", levels("uint16", 3)[0], RGB, compression=compression)
    data = bytearray(path.read_bytes())
    for tag, side in ((256, WIDTH), (257, HEIGHT), (278, 4)):
        place = data.index(struct.pack("<HHII", tag, 4, 1, side))
        struct.pack_into("<I", data, place + 8, 9000)
    path.write_bytes(data)
    with pytest.raises(errors.TexjaxError, match=r"9000 x 9000 = 81,000,000 pixels are more than the limit of 80,000"):
        images.load(path, max_pixels=80_000)
    with pytest.raises(errors.TexjaxError, match="damaged or cut short"):
        images.load(path)


def test_damaged_bytes_are_one_sentence(tmp_path):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, levels("uint16", 3)[0], photometric="rgb", planarconfig="contig", compression="zlib")
    for place in range(0, len(buffer.getvalue()), 3):
        data = bytearray(buffer.getvalue())
        data[place] ^= 0xFF
        (tmp_path / "a.tif").write_bytes(data)
        try:
            assert images.load(tmp_path / "a.tif", max_pixels=10**6).shape[2] == 3
        except errors.TexjaxError as error:
            assert "\n" not in str(error)
