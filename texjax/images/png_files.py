"""Mend and decode PNG: damage that concerns no pixel is repaired as browsers do, and 16 bits per channel are kept."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import png
from PIL import Image

from texjax.images import pillow_files, profiles

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_DEPTH = 24  # place of the bit depth in IHDR, which is always the first chunk
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # color type -> channels
_WHOLE = ((0, 0, 1, 1),)  # the one pass of a picture that is not interlaced, as png.adam7 lists those of one that is


def mended(data: bytes) -> tuple[bytes, list[str]]:
    """Return a PNG without ancillary chunks whose checksum is wrong and with an end, and a sentence on each mending.

    Raises:
        ValueError: If the checksum of the header or of the palette is wrong.
    """
    parts, broken, ended = [SIGNATURE], [], False
    for name, chunk in _chunks(data):
        ended = name == b"IEND"
        if ended:
            break
        if name == b"IDAT":
            parts.append(chunk)  # the decoders check the pixel data
        elif len(chunk) < 12 + int.from_bytes(chunk[:4]):
            break
        elif struct.pack(">I", zlib.crc32(chunk[4:-4])) == chunk[-4:]:
            parts.append(chunk)
        elif name[0] & 0x20:  # a lower-case letter marks a chunk that pictures can do without
            broken.append(name.decode("latin-1"))
        else:
            raise ValueError(f"the checksum of its chunk {name.decode('latin-1')} is wrong")
    sentences = []
    if broken:
        names = ", ".join(dict.fromkeys(broken))
        sentences.append(f"the picture is read without its chunk {names}, whose checksum is wrong.")
    if not ended:
        sentences.append("the file ends without the chunk IEND, so what stood behind the pixels may be lost.")
    return b"".join([*parts, _END]), sentences


def decode(picture: Image.Image, data: bytes, path: pillow_files.Path) -> pillow_files.Decoded:
    """Decode an open PNG; without a color profile or the chunk sRGB, the gamma of the chunk gAMA counts."""
    decoded = _deep(picture, data, path) if data[_DEPTH] == 16 else pillow_files.decode(picture, path)
    gamma, profile = picture.info.get("gamma"), picture.info.get("icc_profile")
    if gamma is None or profile or "srgb" in picture.info:
        return decoded
    return decoded._replace(color=profiles.gamma_to_srgb(decoded.color, gamma))


def has_metadata(data: bytes) -> bool:
    """Return whether a PNG has a chunk of EXIF or text, one of which may hold the orientation."""
    return any(name in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") for name, _ in _chunks(data))


def text(data: bytes) -> dict[str, str]:
    """Return the uncompressed iTXt chunks of a PNG, without decoding its pixels as Pillow would for later chunks."""
    bodies = [body for name, body in png.Reader(bytes=mended(data)[0]).chunks() if name == b"iTXt"]
    entries = [body.split(b"\0", 1) for body in bodies]
    return {key.decode("latin-1"): rest[4:].decode() for key, rest in entries if rest[:4] == bytes(4)}


def with_text(data: bytes, text: dict[str, str]) -> bytes:
    """Insert each entry of `text` as an uncompressed iTXt chunk behind the header of a PNG."""
    if invalid := [key for key in text if not 0 < len(key) < 80 or not key.isprintable()]:
        raise ValueError(f"the text's name {invalid[0]!r} is not 1 to 79 printable characters")
    header, *rest = png.Reader(bytes=data).chunks()
    chunks = [(b"iTXt", key.encode("latin-1") + bytes(5) + value.encode()) for key, value in text.items()]
    buffer = io.BytesIO()
    png.write_chunks(buffer, [header, *chunks, *rest])
    return buffer.getvalue()


def _deep(picture: Image.Image, data: bytes, path: pillow_files.Path) -> pillow_files.Decoded:
    """Decode 16 bits per channel: gray or RGB, opaque, with alpha, or with one transparent color (tRNS)."""
    reader = png.Reader(bytes=_with_bounded_pixels(data))
    width, height, rows, info = reader.read()
    values = np.stack([np.asarray(row, np.uint16) for row in rows]).reshape(height, width, info["planes"])
    alpha = None
    if info["alpha"]:
        values, alpha = values[:, :, :-1], values[:, :, -1:].astype(np.float32) / 65535
    elif reader.trns:
        alpha = (values != reader.transparent).any(2, keepdims=True).astype(np.float32)
    color = profiles.deep_to_srgb(values.astype(np.float32) / 65535, picture.info.get("icc_profile"), path)
    return pillow_files.Decoded(color, alpha, pillow_files.orientation(picture))


def _with_bounded_pixels(data: bytes) -> bytes:
    """Return a PNG of 16 bits whose pixel data inflate to what the picture needs, as pypng itself knows no bound.

    Raises:
        ValueError: If the pixel data end early.
    """
    width, height, _, color_type, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    passes = png.adam7 if interlaced else _WHOLE
    sides = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    pixel = 2 * _CHANNELS[color_type]  # bytes
    needed = sum(rows * (1 + columns * pixel) for columns, rows in sides if columns > 0 and rows > 0)
    chunks = list(_chunks(data))
    packed = b"".join(chunk[8:-4] for name, chunk in chunks if name == b"IDAT")
    rows = zlib.decompressobj().decompress(packed, needed)
    if len(rows) < needed:
        raise ValueError("its pixel data end early")
    before = [(name, chunk[8:-4]) for name, chunk in chunks if name in (b"IHDR", b"PLTE", b"tRNS")]
    buffer = io.BytesIO()
    png.write_chunks(buffer, [*before, (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")])
    return buffer.getvalue()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the bytes of each chunk, from its length to its checksum; the last one may be cut short."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        yield data[place + 4 : place + 8], data[place : place + 12 + length]
        place += 12 + length
