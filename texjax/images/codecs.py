"""The optional package imagecodecs, and the JPEG 2000 and AVIF files of more than 8 bits that need it.

Pillow reads their 8 bits. Of JPEG 2000 with more it rounds white up to black, and of AVIF it keeps 8.
imagecodecs is 26 MB to download and takes 80 MB on disk, so it is an extra.
"""

import importlib.util
import struct
import warnings
from types import ModuleType

from PIL import Image

from texjax import errors
from texjax.images import bounds, pillow_files, profiles

INSTALL = "pip install 'texjax[codecs]'"
_START_AND_SIZE = b"\xff\x4f\xff\x51"  # markers SOC and SIZ that begin a JPEG 2000 codestream
_SYCC, _CMYK = 18, 12  # enumerated color spaces of JPEG 2000


def imagecodecs() -> ModuleType | None:
    """Return the package imagecodecs, or None if it is not installed."""
    if importlib.util.find_spec("imagecodecs") is None:
        return None
    import imagecodecs

    return imagecodecs


def decode_jpeg2000(
    picture: Image.Image, data: bytes, path: pillow_files.Path, max_pixels: int | None
) -> pillow_files.Decoded:
    """Decode an open JPEG 2000 picture.

    Raises:
        TexjaxError: If it has more than 8 bits and imagecodecs is missing, or if such a kind of it is not known.
    """
    start = data.index(_START_AND_SIZE)
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    components = struct.unpack_from(">H", data, start + 40)[0]
    entries = data[start + 42 : start + 42 + 3 * components]  # precision and subsampling of each component
    bits = max(value & 127 for value in entries[::3]) + 1
    bounds.check_size(path, right - left, bottom - top, max_pixels)
    # Pillow's gray of 10 to 16 bits is right; of 9 bits it makes 8 and wraps.
    if bits <= 8 or (components == 1 and bits > 9 and imagecodecs() is None):
        return pillow_files.decode(picture, path)
    color_space = _color_space(data[:start])
    plain = components <= 4 and bits <= 16 and len(set(entries[::3])) == 1 and set(entries) <= {entries[0], 1}
    if not plain or entries[0] & 128 or color_space == _SYCC:
        raise errors.TexjaxError(
            f"{path}: a JPEG 2000 picture of {components} components of up to {bits} bits that are signed, unlike, "
            f"subsampled or YCC cannot be read; convert it to a 16-bit PNG."
        )
    values = _needed(path, f"JPEG 2000 of {bits} bits per channel").jpeg2k_decode(data)
    levels = bounds.to_unit(values.reshape(*values.shape[:2], components), 2**bits - 1, path)
    alpha = None
    if components == 2 or (components == 4 and color_space != _CMYK):
        levels, alpha = levels[..., :-1], levels[..., -1:]
    color = profiles.deep_to_srgb(levels, picture.info.get("icc_profile"), path)
    return pillow_files.Decoded(color, alpha, pillow_files.orientation(picture))


def decode_avif(picture: Image.Image, data: bytes, path: pillow_files.Path) -> pillow_files.Decoded:
    """Decode an open AVIF picture; without imagecodecs, 10 and 12 bits are reduced to 8 with a warning."""
    bits = _avif_bits(data)
    decoder = imagecodecs()
    if bits == 8:
        return pillow_files.decode(picture, path)
    if decoder is None:
        warnings.warn(
            f"{path}: {bits} bits per channel were reduced to 8; {INSTALL} keeps them.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
        return pillow_files.decode(picture, path)
    values = decoder.avif_decode(data, index=0)
    values = values.reshape(*values.shape[:2], -1)
    levels, alpha = bounds.to_unit(values, 2**bits - 1, path), None
    if levels.shape[2] in (2, 4):
        levels, alpha = levels[..., :-1], levels[..., -1:]
    color = profiles.deep_to_srgb(levels, picture.info.get("icc_profile"), path)
    return pillow_files.Decoded(color, alpha, pillow_files.orientation(picture))


def _needed(path: pillow_files.Path, kind: str) -> ModuleType:
    """Return imagecodecs, or raise the TexjaxError that names it as what the kind of file needs."""
    package = imagecodecs()
    if package is None:
        raise missing(path, kind)
    return package


def missing(path: pillow_files.Path, kind: str) -> errors.TexjaxError:
    """Return the error for a kind of file that needs imagecodecs."""
    return errors.TexjaxError(
        f"{path}: {kind} needs the package imagecodecs; install it by {INSTALL}, or save a 16-bit PNG instead."
    )


def _color_space(boxes: bytes) -> int | None:
    """Return the enumerated color space in the boxes before the codestream, or None if they name none."""
    place = boxes.find(b"colr")
    if place < 0 or len(boxes) < place + 11 or boxes[place + 4] != 1:
        return None
    return struct.unpack_from(">I", boxes, place + 7)[0]


def _avif_bits(data: bytes) -> int:
    """Return the bits per channel by the codec configuration, in the boxes before the pixels."""
    place = data.find(b"av1C", 0, max(data.find(b"mdat"), 0) or len(data))
    if place < 0 or len(data) < place + 7 or not data[place + 6] & 0x40:
        return 8
    return 12 if data[place + 6] & 0x20 else 10
