"""Decode the Netpbm formats that Pillow cuts to 8 bits or does not know: deep PGM and PPM, PAM, and PFM in color.

They are a header of words and plain values behind it. References: the manual pages pgm(5), ppm(5), pam(5), pfm(5).
"""

import math
import re
from typing import NamedTuple

import numpy as np

from texjax import errors
from texjax.images import bounds, pillow_files

_WORD = re.compile(rb"(?:\s|#[^\n\r]*+[\n\r])*+([^\s#]{1,20}+)")  # behind spaces and comments
_CHANNELS = {b"P2": 1, b"P5": 1, b"P3": 3, b"P6": 3, b"Pf": 1, b"PF": 3}
_LONGEST_HEADER = 1 << 16  # bytes


class _Header(NamedTuple):
    """Sides in pixels, number of channels, the value of white (of a PFM: its scale), and where the values start."""

    width: int
    height: int
    channels: int
    white: float
    start: int


def recognizes(data: bytes) -> bool:
    """Return whether this module reads the file; Pillow reads the other formats of the family."""
    kind = data[:2]
    if kind in (b"P7", b"PF", b"Pf"):
        return data[2:3].isspace()
    try:
        return kind in _CHANNELS and _header(data).white > 255
    except ValueError:
        return False


def decode(data: bytes, path: pillow_files.Path, max_pixels: int | None) -> pillow_files.Decoded:
    """Decode a file that `recognizes` accepts; integers of all bits are kept, and floats are taken as sRGB."""
    header = _any_header(data, path)
    bounds.check_size(path, header.width, header.height, max_pixels)
    shape = header.height, header.width, header.channels
    if data[:2] in (b"PF", b"Pf"):
        values = np.frombuffer(data, "<f4" if header.white < 0 else ">f4", _count(header), header.start)
        return pillow_files.Decoded(bounds.to_unit(values.reshape(shape)[::-1], 1, path))  # from the bottom upwards
    if data[:2] in (b"P2", b"P3"):
        words = re.sub(rb"#[^\n\r]*", b"", data[header.start :]).split()
        values = np.fromiter(map(int, words[: _count(header)]), np.int64)
        if values.size < _count(header):
            raise ValueError("it has fewer values than its header says")
    else:
        values = np.frombuffer(data, ">u2" if header.white > 255 else "u1", _count(header), header.start)
    levels = bounds.to_unit(values.reshape(shape), header.white, path)
    if header.channels in (2, 4):
        return pillow_files.Decoded(levels[..., :-1], levels[..., -1:])
    return pillow_files.Decoded(levels)


def shape(data: bytes, path: pillow_files.Path) -> tuple[int, int]:
    """Return height and width of a file that `recognizes` accepts."""
    header = _any_header(data, path)
    return header.height, header.width


def _any_header(data: bytes, path: pillow_files.Path) -> _Header:
    return _pam_header(data, path) if data[:2] == b"P7" else _header(data)


def _count(header: _Header) -> int:
    return header.width * header.height * header.channels


def _header(data: bytes) -> _Header:
    """Return the header of a PGM, PPM or PFM. Raises ValueError if it is none."""
    words, place = [], 2
    for _ in range(3):
        match = _WORD.match(data, place, _LONGEST_HEADER)
        if match is None:
            raise ValueError("its header is incomplete")
        words.append(match[1])
        place = match.end()
    width, height = int(words[0]), int(words[1])
    floats = data[:2] in (b"PF", b"Pf")
    white = float(words[2]) if floats else int(words[2])
    if width < 1 or height < 1 or not 0 < abs(white) < (math.inf if floats else 65536):
        raise ValueError("its header has a side or a largest value out of range")
    return _Header(width, height, _CHANNELS[data[:2]], white, place + 1)  # one space ends the header


def _pam_header(data: bytes, path: pillow_files.Path) -> _Header:
    """Return the header of a PAM. Raises ValueError if it is none, and TexjaxError if it holds no colors."""
    end = data.find(b"ENDHDR\n", 0, _LONGEST_HEADER)
    if end < 0:
        raise ValueError("its header is incomplete")
    lines = [line.split(None, 1) for line in data[3:end].split(b"\n") if line.strip() and line[:1] != b"#"]
    fields = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    width, height, depth, white = (int(fields.get(key, b"0")) for key in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    if width < 1 or height < 1 or not 0 < white < 65536:
        raise ValueError("its header has a side or a largest value out of range")
    if not 1 <= depth <= 4:
        kind = fields.get(b"TUPLTYPE", b"no TUPLTYPE").decode("ascii", "replace")
        raise errors.TexjaxError(
            f"{path}: a PAM of {depth} channels ({kind}) is no picture texjax can read; convert it to gray or RGB with "
            f"or without alpha."
        )
    return _Header(width, height, depth, white, end + len(b"ENDHDR\n"))
