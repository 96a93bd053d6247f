"""PGM, PPM, PAM and PFM made by hand."""

import numpy as np
import pytest

from texjax import errors, images

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 5, 7
GRAY_BACKGROUND = (0.25, 0.25, 0.25)


def levels(white, channels):
    """Random integers [h, w, c] up to white, and what they mean in [0, 1]."""
    values = RNG.integers(0, white, (HEIGHT, WIDTH, channels), endpoint=True)
    return values, values / white


def packed(values, white):
    return values.astype(">u2" if white > 255 else "u1").tobytes()


@pytest.mark.parametrize("white", [255, 1000, 1023, 65535])
@pytest.mark.parametrize(("kind", "channels"), [(b"P2", 1), (b"P3", 3), (b"P5", 1), (b"P6", 3)])
def test_pgm_and_ppm(tmp_path, kind, channels, white):
    values, expected = levels(white, channels)
    header = b"%s # by hand\n#more\n%d %d\n%d\n" % (kind, WIDTH, HEIGHT, white)
    plain = b"# a comment\n".join(b"%d " % value for value in values.ravel())
    (tmp_path / "a.pnm").write_bytes(header + (plain if kind in (b"P2", b"P3") else packed(values, white)))
    np.testing.assert_allclose(
        images.load(tmp_path / "a.pnm"), np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), atol=1e-7
    )


@pytest.mark.parametrize("white", [1, 255, 65535])
@pytest.mark.parametrize(
    ("name", "channels"), [(b"GRAYSCALE", 1), (b"RGB", 3), (b"GRAYSCALE_ALPHA", 2), (b"RGB_ALPHA", 4)]
)
def test_pam(tmp_path, name, channels, white):
    values, expected = levels(white, channels)
    header = b"P7\n# by hand\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n"
    data = header % (WIDTH, HEIGHT, channels, white, name) + packed(values, white)
    (tmp_path / "a.pam").write_bytes(data)
    if channels in (2, 4):
        expected = expected[..., :-1] * expected[..., -1:] + 0.25 * (1 - expected[..., -1:])
    image = images.load(tmp_path / "a.pam", background=GRAY_BACKGROUND, alpha="over")
    np.testing.assert_allclose(image, np.broadcast_to(expected, (HEIGHT, WIDTH, 3)), atol=2e-7)
    assert images.read_text(tmp_path / "a.pam") == {}


@pytest.mark.parametrize(("scale", "order"), [(b"-1.0", "<"), (b"1.0", ">"), (b"2e5", ">")])
@pytest.mark.parametrize(("kind", "channels"), [(b"Pf", 1), (b"PF", 3)])
def test_pfm(tmp_path, kind, channels, scale, order):
    values = RNG.random((HEIGHT, WIDTH, channels)).astype(np.float32)
    header = b"%s\n%d %d\n%s\n" % (kind, WIDTH, HEIGHT, scale)
    (tmp_path / "a.pfm").write_bytes(header + values[::-1].astype(f"{order}f4").tobytes())  # lines from the bottom up
    np.testing.assert_array_equal(images.load(tmp_path / "a.pfm"), np.broadcast_to(values, (HEIGHT, WIDTH, 3)))


HEADER = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nENDHDR\n"


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"P6\n99999 99999\n65535\n", "99999 x 99999 = .* more than the limit"),
        (HEADER % (99999, 99999, 3, 255), "99999 x 99999 = .* more than the limit"),
        (b"PF\n99999 99999\n-1\n", "99999 x 99999 = .* more than the limit"),
        (b"P6\n9 9\n65535\nshort", "damaged or cut short"),
        (b"P3\n9 9\n65535\n1 2 3", "damaged or cut short"),
        (b"P3\n1 1\n65535\n1 2 red", "damaged or cut short"),
        (b"P3\n1 1\n1000\n1 2 1001", "got values from 1 to 1001, possible are 0 to 1000"),
        (b"PF\n1 1\nnan\n" + bytes(12), "damaged or cut short"),
        (b"PF\n1 1\n-1\n" + np.array([0, 0.5, 2], "<f4").tobytes(), "got values from 0 to 2, possible are 0 to 1"),
        (b"P7\nWIDTH 9\n", "damaged or cut short"),
        (HEADER % (9, 9, 3, 0), "damaged or cut short"),
        (HEADER % (9, 9, 7, 255), "a PAM of 7 channels .* convert it to gray or RGB"),
    ],
)
def test_what_cannot_be_read(tmp_path, data, match):
    (tmp_path / "a.pnm").write_bytes(data)
    with pytest.raises(errors.TexjaxError, match=match):
        images.load(tmp_path / "a.pnm")
