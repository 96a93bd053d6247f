"""Frames in one file: animated WebP and GIF, which play in a loop, and MP4 where ffmpeg is on the PATH."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from texjax import atomic

RATE = 10  # frames per second; a GIF counts hundredths of a second, so that not every rate can be told
WEBP_SIDE = 16383  # pixels, the most that the format can say

Frames = UInt8[np.ndarray, "n h w 3"]


def save(stem: Path, frames: Float[np.ndarray, "n h w 3"]) -> list[Path]:
    """Write frames, sRGB in [0, 1] (clipped, rounded to nearest), as stem.webp, .gif and .mp4; return the paths.

    WebP keeps every pixel, for sides up to 16,383 px, GIF 256 colors a frame, MP4 what the encoder leaves. An MP4 has
    even sides, the last row or column twice where they are odd, and repeats where a player is told so; there is none
    without ffmpeg or where it fails. The same frames give the same bytes; a file appears whole or not at all.

    Raises EnvironmentFault where the disk or its rights fail.
    """
    levels = np.rint(frames.clip(0, 1) * 255).astype(np.uint8)
    found = {".webp": _pillow(levels, "WEBP", lossless=True)} if max(levels.shape[1:3]) <= WEBP_SIDE else {}
    found |= {".gif": _pillow(levels, "GIF"), ".mp4": _mp4(levels)}
    paths = {stem.with_name(stem.name + suffix): data for suffix, data in found.items() if data}
    for path, data in paths.items():
        atomic.write(path, data)
    return list(paths)


def _pillow(levels: Frames, kind: str, **settings: bool) -> bytes:
    first, *rest = (Image.fromarray(frame) for frame in levels)
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=rest, duration=1000 // RATE, loop=0, **settings)
    return buffer.getvalue()


def _mp4(levels: Frames) -> bytes:
    """The bytes of an MP4 by ffmpeg; none where there is no ffmpeg, or it fails."""
    program = shutil.which("ffmpeg")
    if program is None:
        return b""
    # Half as many colors as pixels each way, so sides have to be even.
    even = np.pad(levels, ((0, 0), *((0, side % 2) for side in levels.shape[1:3]), (0, 0)), "edge")
    height, width = even.shape[1:3]
    words = f"-v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {RATE} -i - -pix_fmt yuv420p".split()
    # Where the file does not name them, players guess its colors by its height. An MP4 cannot be written to a pipe.
    words += ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "movie.mp4")
        done = subprocess.run([program, *words, str(path)], input=even.tobytes(), capture_output=True, check=False)
        return path.read_bytes() if done.returncode == 0 and path.is_file() else b""
