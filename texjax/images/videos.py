"""Videos, frame by frame, through ffmpeg: frames come and go by pipes, so that one at a time is in memory."""

import contextlib
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from texjax import atomic, errors

EXTENSIONS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv")


class Header(NamedTuple):
    """Height and width of the upright frames in pixels, and frames per second, such as "25/1" or "30000/1001"."""

    height: int
    width: int
    rate: str


def header(path: Path) -> Header:
    """Return the size and the rate of a video.

    Raises:
        TexjaxError: If ffmpeg is missing, or cannot read the file.
    """
    # The first line of a YUV4MPEG2 stream says both, as in "YUV4MPEG2 W640 H360 F25:1 Ip".
    words = ["-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]
    process = subprocess.run(_command(path, ["-i", str(path), *words]), capture_output=True, check=False)
    line = process.stdout.partition(b"\n")[0].decode("ascii", "replace")
    if process.returncode or not line.startswith("YUV4MPEG2"):
        raise _unreadable(path, _reason(process.stderr))
    fields = {word[0]: word[1:] for word in line.split()[1:]}
    return Header(int(fields["H"]), int(fields["W"]), fields["F"].replace(":", "/"))


def frames(path: Path, like: Header) -> Iterator[Float32[np.ndarray, "h w 3"]]:
    """Yield the frames of a video in turn, [h, w, 3], sRGB in [0, 1].

    Args:
        path: The video.
        like: Its header. Where frames are not shown equally long, some are repeated or left out to have that rate.

    Raises:
        TexjaxError: If ffmpeg is missing, or cannot read the file.
    """
    words = f"-r {like.rate} -pix_fmt rgb24 -f rawvideo -".split()
    size = like.height * like.width * 3
    with _running(_command(path, ["-i", str(path), *words]), stdout=subprocess.PIPE) as (process, messages):
        while len(data := process.stdout.read(size)) == size:
            yield np.frombuffer(data, np.uint8).reshape(like.height, like.width, 3).astype(np.float32) / 255
        if process.wait() or data:
            raise _unreadable(path, messages())


def save(path: Path, pictures: Iterable[Float[np.ndarray, "_ _ 3"]], rate: str, sound: Path) -> None:
    """Write frames as an MP4 file with the sound of another video.

    Sides are made even by repeating the last row or column. The file appears as a whole or not at all.

    Args:
        path: The file to write.
        pictures: The frames in turn, at least one, [h, w, 3] in [0, 1], all of one size.
        rate: Frames per second, as in a `Header`.
        sound: The other video, which need not have any.

    Raises:
        TexjaxError: If ffmpeg is missing or fails; and what the frames raise.
        EnvironmentFault: If the disk or its permissions fail.
    """
    levels = map(_even_levels, pictures)
    first = next(levels)
    height, width = first.shape[:2]
    sent = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {rate} -i -".split()
    tracks = ["-i", str(sound), "-map", "0:v", "-map", "1:a?", "-c:a", "aac"]
    # A file that does not name its color matrix leaves players to guess it from the height.
    colors = ["-pix_fmt", "yuv420p", "-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"]
    # ffmpeg cannot write an MP4 to a pipe, so it writes a temporary file.
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "video.mp4")
        command = _command(path, [*sent, *tracks, *colors, str(whole)])
        with _running(command, stdin=subprocess.PIPE) as (process, messages):
            with contextlib.suppress(BrokenPipeError):  # ffmpeg has ended early, and says why
                for frame in itertools.chain([first], levels):
                    process.stdin.write(frame.tobytes())
                process.stdin.close()
            if process.wait() or not whole.is_file():
                raise errors.TexjaxError(f"{path}: ffmpeg did not write this video ({messages()}); mend its cause.")
        atomic.write(path, whole.read_bytes())


def _even_levels(frame: Float[np.ndarray, "h w 3"]) -> np.ndarray:
    """The frame in 256 levels; yuv420p halves the resolution of color, so that the sides have to be even."""
    levels = np.rint(frame.clip(0, 1) * 255).astype(np.uint8)
    return np.pad(levels, [*((0, side % 2) for side in levels.shape[:2]), (0, 0)], "edge")


def _command(path: Path, words: Sequence[str]) -> list[str]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise errors.TexjaxError(f"{path} is a video, and there is no ffmpeg to read and write it; install ffmpeg.")
    return [program, "-nostdin", "-v", "error", *words]


@contextlib.contextmanager
def _running(
    command: Sequence[str], stdin: int | None = None, stdout: int | None = None
) -> Iterator[tuple[Any, Callable[[], str]]]:
    """A process, which does not outlive the block, and a function that returns what it said."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=log) as process,
    ):

        def messages() -> str:
            log.seek(0)
            return _reason(log.read())

        try:
            yield process, messages
        finally:
            process.kill()


def _unreadable(path: Path, reason: str) -> errors.TexjaxError:
    return errors.TexjaxError(f"{path}: ffmpeg cannot read this video ({reason}); replace it by an intact copy.")


def _reason(messages: bytes) -> str:
    """What ffmpeg says, on one line."""
    return " ".join(messages.decode(errors="replace").split())[:300].rstrip(".") or "it says no reason"
