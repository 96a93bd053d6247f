"""Decode Truevision TGA: Pillow unpacks the pixels, and what the file says of its alpha is read here.

Pillow takes the fourth byte, and the top bit of 16, for alpha even where the header gives alpha no bits, and inverts
that bit. Reference: Truevision TGA File Format Specification 2.0 (1991), fields 5.6 and 24.
"""

import struct

from PIL import Image

from texjax.images import bounds, pillow_files

_HEADER = 18  # bytes
_FOOTER = b"TRUEVISION-XFILE.\0"
_RUN_LENGTH = 8  # bit of the image type
_USEFUL_ALPHA, _PREMULTIPLIED_ALPHA = 3, 4  # attributes types of the extension area


def decode(picture: Image.Image, data: bytes, path: pillow_files.Path) -> pillow_files.Decoded:
    """Decode an open TGA, with alpha only where the file says that it has any."""
    try:
        picture.load()
    except OSError:  # Pillow does not read runs that go on in the next line, which older programs write
        if not data[2] & _RUN_LENGTH:
            raise
        with pillow_files.open_picture(_without_runs(data), path, None) as unpacked:
            unpacked.load()
            return decode(unpacked, _without_runs(data), path)
    decoded = pillow_files.decode(picture, path)
    alpha = decoded.alpha
    if alpha is None:
        return decoded
    alpha_bits, attributes = data[17] & 15, _attributes_type(data)
    if attributes not in (None, _USEFUL_ALPHA, _PREMULTIPLIED_ALPHA) or (attributes is None and not alpha_bits):
        return decoded._replace(alpha=None)
    if (data[7] if data[1] else data[16]) == 16:  # bits of an entry of the palette, or of a pixel
        alpha = 1 - alpha
        if alpha.min() == alpha.max():  # one bit that is the same everywhere says nothing
            return decoded._replace(alpha=None)
    if attributes == _PREMULTIPLIED_ALPHA:
        return decoded._replace(color=bounds.unpremultiplied(decoded.color, alpha), alpha=alpha)
    return decoded._replace(alpha=alpha)


def _attributes_type(data: bytes) -> int | None:
    """Return what the extension area says of alpha, or None if the file has no such area."""
    if not data.endswith(_FOOTER):
        return None
    (start,) = struct.unpack_from("<I", data, len(data) - 26)
    return data[start + 494] if 0 < start < len(data) - 494 else None


def _without_runs(data: bytes) -> bytes:
    """Return the file with its run-length packets unpacked, which may go on from one line to the next.

    Raises:
        ValueError: If the packets end before the last pixel.
    """
    width, height, depth = struct.unpack_from("<HHB", data, 12)
    size = (depth + 7) // 8
    palette = struct.unpack_from("<H", data, 5)[0] * ((data[7] + 7) // 8) if data[1] else 0
    place = start = _HEADER + data[0] + palette
    pixels, total = bytearray(), width * height * size
    while len(pixels) < total and place < len(data):
        count = (data[place] & 127) + 1
        if data[place] & 128:
            pixels += data[place + 1 : place + 1 + size] * count
            place += 1 + size
        else:
            pixels += data[place + 1 : place + 1 + size * count]
            place += 1 + size * count
    if len(pixels) < total:
        raise ValueError("its run-length packets end before the last pixel")
    header = bytearray(data[:start])
    header[2] &= ~_RUN_LENGTH
    return bytes(header) + bytes(pixels[:total])
