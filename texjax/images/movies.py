"""Write the frames of an animation as looping WebP and GIF files, and as MP4 if ffmpeg is on the PATH."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from texjax import atomic

RATE = 10  # frames per second; GIF stores durations in hundredths of a second, so it cannot express every rate
WEBP_SIDE = 16383  # pixels, the longest side that the format can store

Levels = UInt8[np.ndarray, "n h w 3"]


def save(stem: Path, frames: Float[np.ndarray, "n h w c"]) -> list[Path]:
    """Write the frames as stem.webp, stem.gif and stem.mp4.

    WebP is lossless and skipped if a side is longer than 16,383 px. GIF has at most 256 colors per frame. MP4 is lossy;
    its sides are made even by repeating the last row or column, and it loops only if the player is told to. It is
    skipped if there is no ffmpeg, or ffmpeg fails. The same frames give the same bytes, and every file appears as a
    whole or not at all.

    Args:
        stem: Path of the files without the suffix.
        frames: [n, h, w, 3], or [n, h, w, 1] for gray, sRGB in [0, 1]; they are clipped and rounded to the nearest of
            256 levels.

    Returns:
        The paths of the files that were written.

    Raises:
        EnvironmentFault: If the disk or its permissions fail.
    """
    levels = np.rint(frames.clip(0, 1) * 255).astype(np.uint8)
    levels = np.broadcast_to(levels, (*levels.shape[:3], 3))
    movies = {".webp": _pillow(levels, "WEBP", lossless=True)} if max(levels.shape[1:3]) <= WEBP_SIDE else {}
    movies |= {".gif": _pillow(levels, "GIF"), ".mp4": _mp4(levels)}
    files = {stem.with_name(stem.name + suffix): data for suffix, data in movies.items() if data}
    for path, data in files.items():
        atomic.write(path, data)
    return list(files)


def _pillow(levels: Levels, file_format: str, **settings: bool) -> bytes:
    first, *rest = (Image.fromarray(frame) for frame in levels)
    buffer = io.BytesIO()
    first.save(buffer, file_format, save_all=True, append_images=rest, duration=1000 // RATE, loop=0, **settings)
    return buffer.getvalue()


def _mp4(levels: Levels) -> bytes:
    """Return the bytes of an MP4 made by ffmpeg, or none if there is no ffmpeg or it fails."""
    program = shutil.which("ffmpeg")
    if program is None:
        return b""
    # The pixel format yuv420p halves the resolution of color along both axes, so the sides have to be even.
    even = np.pad(levels, ((0, 0), *((0, side % 2) for side in levels.shape[1:3]), (0, 0)), "edge")
    height, width = even.shape[1:3]
    arguments = f"-v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {RATE} -i - -pix_fmt yuv420p".split()
    # A file that does not name its color matrix leaves players to guess it from the height.
    arguments += ["-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]
    # ffmpeg cannot write an MP4 to a pipe, so it writes a temporary file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "movie.mp4")
        process = subprocess.run(
            [program, *arguments, str(path)], input=even.tobytes(), capture_output=True, check=False
        )
        return path.read_bytes() if process.returncode == 0 and path.is_file() else b""
