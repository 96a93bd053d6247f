"""PNG files whose damage concerns no pixel, and those with a gamma, made by hand from chunks."""

import struct
import zlib

import numpy as np
import pytest
from handmade import srgb

from texjax import errors, images

RNG = np.random.default_rng(0)
HEADER = struct.Struct(">IIBBBBB")
# Ancillary chunks with a body that readers accept.
ANCILLARY = {
    b"iCCP": b"p\0\0" + zlib.compress(b"no profile"), b"gAMA": struct.pack(">I", 100000), b"cHRM": bytes(32),
    b"sRGB": b"\0", b"tRNS": bytes(6), b"bKGD": bytes(6), b"pHYs": bytes(9), b"tIME": bytes(7), b"tEXt": b"a\0b",
    b"eXIf": b"II*\0\x08\0\0\0\0\0", b"abCd": b"",
}  # fmt: skip


def chunk(name, body, damage=0):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ damage)


END = chunk(b"IEND", b"")


def make(values, before=b"", after=b"", end=END, header_damage=0, pixels=None):
    """A PNG of the values [h, w, c], with chunks before and after the pixel data."""
    height, width, channels = values.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = HEADER.pack(width, height, 8 * values.itemsize, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    body = zlib.compress(rows) if pixels is None else pixels
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header, header_damage) + before + chunk(b"IDAT", body) + after + end


def levels(kind, channels=3):
    values = RNG.integers(0, np.iinfo(kind).max, (5, 7, channels), dtype=kind, endpoint=True)
    return values, values / np.iinfo(kind).max


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ANCILLARY)
def test_a_chunk_with_a_wrong_checksum_is_left_out_with_a_warning(tmp_path, name, kind):
    values, expected = levels(kind)
    (tmp_path / "a.png").write_bytes(make(values, chunk(name, ANCILLARY[name], damage=1)))
    with pytest.warns(errors.TexjaxWarning, match=rf"a\.png: .* without its chunk {name.decode()}, whose checksum"):
        image = images.load(tmp_path / "a.png")
    np.testing.assert_allclose(image, expected, atol=1e-7)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("end", [b"", END[:6], chunk(b"tEXt", b"a\0b")[:-2]])
def test_a_missing_end_is_no_damage_to_the_pixels(tmp_path, end, kind):
    values, expected = levels(kind)
    (tmp_path / "a.png").write_bytes(make(values, end=end))
    with pytest.warns(errors.TexjaxWarning, match=r"a\.png: .*ends without the chunk IEND"):
        image = images.load(tmp_path / "a.png")
    np.testing.assert_allclose(image, expected, atol=1e-7)


def test_what_follows_the_end_is_ignored(tmp_path):
    values, expected = levels("uint16")
    (tmp_path / "a.png").write_bytes(make(values) + b"more")
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), expected, atol=1e-7)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_header_with_a_wrong_checksum_is_refused(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(make(levels(kind)[0], header_damage=1))
    with pytest.raises(errors.TexjaxError, match=r"damaged or cut short \(the checksum of its chunk IHDR is wrong\)"):
        images.load(tmp_path / "a.png")


def test_the_text_of_a_mended_file(tmp_path):
    images.save(tmp_path / "a.png", levels("uint8")[1], text={"texjax": "{}"})
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-12])
    assert images.read_text(tmp_path / "a.png") == {"texjax": "{}"}


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
def test_gamma_without_a_profile_counts(tmp_path, gamma, channels, kind):
    values, expected = levels(kind, channels)
    (tmp_path / "a.png").write_bytes(make(values, chunk(b"gAMA", struct.pack(">I", round(gamma * 1e5)))))
    colors = 1 if channels < 3 else 3
    color = srgb(expected[..., :colors] ** (1e5 / round(gamma * 1e5)))
    if channels in (2, 4):
        color = color * expected[..., -1:] + 1 - expected[..., -1:]
    np.testing.assert_allclose(
        images.load(tmp_path / "a.png", alpha="over"), np.broadcast_to(color, (5, 7, 3)), atol=1e-6
    )


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize(
    "before",
    [
        chunk(b"gAMA", struct.pack(">I", 45455)),  # 1 / 2.2, which programs write for sRGB
        chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sRGB", b"\0"),
        chunk(b"gAMA", bytes(4)),
        chunk(b"gAMA", b"\xff" * 4),
    ],
)
def test_gamma_that_says_nothing(tmp_path, before, kind):
    values, expected = levels(kind)
    (tmp_path / "a.png").write_bytes(make(values, before))
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), expected, atol=1e-7)


def test_pixel_data_that_inflate_to_more_than_the_picture(tmp_path):
    values, expected = levels("uint16")
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    (tmp_path / "a.png").write_bytes(make(values, pixels=zlib.compress(rows + bytes(1 << 28))))
    np.testing.assert_allclose(images.load(tmp_path / "a.png"), expected, atol=1e-7)


def test_pixel_data_that_end_early(tmp_path):
    (tmp_path / "a.png").write_bytes(make(levels("uint16")[0], pixels=zlib.compress(bytes(20))))
    with pytest.raises(errors.TexjaxError, match="its pixel data end early"):
        images.load(tmp_path / "a.png")
