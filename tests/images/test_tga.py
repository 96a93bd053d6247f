"""TGA files made by hand: what their headers say of alpha, and runs that go on in the next line."""

import struct

import numpy as np
import pytest

from texjax import errors, images

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 5, 7
PIXELS = RNG.integers(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)
COLOR, ALPHA = PIXELS[..., :3] / 255, PIXELS[..., 3:] / 255
FIVE_BITS = RNG.integers(0, 32, (HEIGHT, WIDTH, 3))
WORDS = FIVE_BITS @ [1 << 10, 1 << 5, 1]
TOP_DOWN = 0x20
TRUE_COLOR, GRAY, RUNS = 2, 3, 8


def make(kind, depth, alpha_bits, body, flags=TOP_DOWN):
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, WIDTH, HEIGHT, depth, flags | alpha_bits)
    return header + body


def with_attributes(data, attributes):
    """Append an extension area that says what the fourth byte is, and the footer that points at it."""
    area = struct.pack("<H", 495) + bytes(492) + bytes([attributes])
    return data + area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"


def bgra(pixels):
    return pixels[..., [2, 1, 0, 3]].tobytes()


def over(color, alpha):
    return alpha * color + 0.25 * (1 - alpha)


def load(path, data):
    path.write_bytes(data)
    return images.load(path, background=(0.25, 0.25, 0.25), alpha="over")


@pytest.mark.parametrize("fourth", [0, 255, None])
def test_32_bits_without_alpha_bits_are_opaque(tmp_path, fourth):
    pixels = PIXELS.copy()
    if fourth is not None:
        pixels[..., 3] = fourth
    image = load(tmp_path / "a.tga", make(TRUE_COLOR, 32, 0, bgra(pixels)))
    np.testing.assert_allclose(image, COLOR, atol=1e-7)


def test_32_bits_with_alpha_bits(tmp_path):
    image = load(tmp_path / "a.tga", make(TRUE_COLOR, 32, 8, bgra(PIXELS)))
    np.testing.assert_allclose(image, over(COLOR, ALPHA), atol=1e-6)


@pytest.mark.parametrize(("attributes", "opaque"), [(0, True), (1, True), (2, True), (3, False)])
def test_the_extension_area_says_whether_the_fourth_byte_is_alpha(tmp_path, attributes, opaque):
    image = load(tmp_path / "a.tga", with_attributes(make(TRUE_COLOR, 32, 8, bgra(PIXELS)), attributes))
    np.testing.assert_allclose(image, COLOR if opaque else over(COLOR, ALPHA), atol=1e-6)


def test_color_that_was_multiplied_by_alpha(tmp_path):
    alpha = np.maximum(PIXELS[..., 3:], 128)
    stored = np.concatenate([np.rint(COLOR * alpha), alpha], -1).astype(np.uint8)
    image = load(tmp_path / "a.tga", with_attributes(make(TRUE_COLOR, 32, 8, bgra(stored)), 4))
    np.testing.assert_allclose(image, over(COLOR, alpha / 255), atol=1 / 255)


@pytest.mark.parametrize("alpha_bits", [0, 1])
@pytest.mark.parametrize("attribute", [0, 1])
def test_an_attribute_bit_that_is_the_same_everywhere_is_no_alpha(tmp_path, attribute, alpha_bits):
    body = (WORDS | attribute << 15).astype("<u2").tobytes()
    image = load(tmp_path / "a.tga", make(TRUE_COLOR, 16, alpha_bits, body))
    np.testing.assert_allclose(image, FIVE_BITS / 31, atol=1 / 255)  # Pillow stretches 5 bits to 8


def test_an_attribute_bit_of_one_is_opaque(tmp_path):
    opaque = RNG.integers(0, 2, (HEIGHT, WIDTH))
    image = load(tmp_path / "a.tga", make(TRUE_COLOR, 16, 1, (WORDS | opaque << 15).astype("<u2").tobytes()))
    np.testing.assert_allclose(image, np.where(opaque[..., None], FIVE_BITS / 31, 0.25), atol=1 / 255)


def packets(pixels):
    """Runs of 3 pixels and stretches of 2 distinct ones in turns, whatever the lines, for pixels [5 k, bytes]."""
    parts = []
    for start in range(0, len(pixels), 5):
        run, rest = pixels[start : start + 3], pixels[start + 3 : start + 5]
        assert (run == run[0]).all()
        parts += [bytes([128 | 2]), run[0].tobytes(), bytes([1]), rest.tobytes()]
    return b"".join(parts)


@pytest.mark.parametrize("flags", [0, TOP_DOWN])
@pytest.mark.parametrize(("kind", "size"), [(GRAY, 1), (TRUE_COLOR, 3), (TRUE_COLOR, 4)])
def test_runs_that_go_on_in_the_next_line(tmp_path, kind, size, flags):
    flat = PIXELS.reshape(-1, 4)[:, :size].copy()
    for start in range(0, len(flat), 5):  # the run from 20 to 22 begins at the end of the third line of 7 pixels
        flat[start : start + 3] = flat[start]
    image = load(tmp_path / "a.tga", make(kind | RUNS, 8 * size, 0, packets(flat), flags))
    upright = flat.reshape(HEIGHT, WIDTH, size)[:: 1 if flags else -1]
    expected = upright if size == 1 else upright[..., 2::-1]
    np.testing.assert_allclose(image, np.broadcast_to(expected / 255, image.shape), atol=1e-7)


def test_runs_that_end_early(tmp_path):
    with pytest.raises(errors.TexjaxError, match="its run-length packets end before the last pixel"):
        load(tmp_path / "a.tga", make(TRUE_COLOR | RUNS, 24, 0, b"\x86\x01\x02\x03"))
