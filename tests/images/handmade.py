"""PNG files and color profiles made by hand, which several tests of pictures read."""

import io
import struct

import numpy as np
import png


def write_deep(path, values, **settings):
    """A 16-bit PNG by pypng alone, [h, w, c] or [h, w]."""
    h, w = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    writer = png.Writer(w, h, greyscale=channels < 3, alpha=channels in (2, 4), bitdepth=16, **settings)  # pyright: ignore
    with path.open("wb") as file:
        writer.write(file, values.reshape(h, -1).tolist())
    return path


def with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    head, *rest = png.Reader(bytes=data).chunks()
    out = io.BytesIO()
    png.write_chunks(out, [head, (name, body), *rest])
    return out.getvalue()


def profile(gamma: float | None, swap: bool = False, gray: bool = False) -> bytes:
    """An ICC profile made by hand: sRGB's primaries, exchanged if `swap`; a power law or sRGB's curve."""
    xyz = {  # sRGB's colorants, adapted to D50, as the ICC publishes them
        b"rXYZ": (0.43607, 0.22249, 0.01392),
        b"gXYZ": (0.38515, 0.71687, 0.09708),
        b"bXYZ": (0.14307, 0.06061, 0.71410),
    }
    if swap:
        xyz[b"rXYZ"], xyz[b"bXYZ"] = xyz[b"bXYZ"], xyz[b"rXYZ"]
    if gamma is None:
        level = np.linspace(0, 1, 1024)
        linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
        curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + np.rint(linear * 65535).astype(">u2").tobytes()
    else:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    point = {k: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in value)) for k, value in xyz.items()}
    tags: dict[bytes, bytes] = {b"kTRC": curve} if gray else {**point, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    return with_tags(b"mntr" + (b"GRAY" if gray else b"RGB ") + b"XYZ ", tags)


def with_tags(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of a class, color space and connection space, with these tags and those that all have."""
    desc = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": desc, b"wtpt": white, b"cprt": b"text" + bytes(4) + b"none\0", **tags}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = b"lcms\x02\x10\x00\x00" + kind + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    head += bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return struct.pack(">I", 128 + len(table) + len(body)) + head + table + body


def cmyk_profile(nodes: int = 5) -> bytes:
    """An ICC profile made by hand: a table (lut8Type) from ink to CIE Lab, of rough colors."""
    c, m, y, k = np.meshgrid(*[np.linspace(0, 1, nodes)] * 4, indexing="ij")
    light = 255 * (1 - k) * (1 - 0.3 * c - 0.4 * m - 0.1 * y)
    lab = np.stack([light, 128 + 60 * (m - c) * (1 - k), 128 + 80 * (y - 0.5 * c) * (1 - k)], -1)
    identity = struct.pack(">9i", *(np.eye(3) * 65536).astype(int).ravel())
    table = b"mft1" + bytes(4) + bytes([4, 3, nodes, 0]) + identity
    table += bytes(range(256)) * 4 + np.rint(lab).astype(np.uint8).tobytes() + bytes(range(256)) * 3
    return with_tags(b"prtrCMYKLab ", {b"A2B0": table})


def srgb(linear):
    """IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
