"""Movies as Pillow and ffmpeg read them; a script replaces ffmpeg in the tests of how it is called."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from texjax import errors
from texjax.images import movies

FFMPEG = shutil.which("ffmpeg")


@pytest.fixture
def frames() -> np.ndarray:
    """Five frames of 6 x 9 px, some values outside [0, 1]."""
    return np.random.default_rng(0).uniform(-0.1, 1.1, (5, 6, 9, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def no_programs(monkeypatch, tmp_path):
    """Leave no program on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def pixels(frames: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(frames.astype(np.float64), 0, 1)).astype(np.uint8)


def played(path: Path) -> tuple[np.ndarray, list[int], int]:
    """Return the frames of a file, how many milliseconds each is shown, and how often all are (0: forever)."""
    played_frames, durations = [], []
    with Image.open(path) as movie:
        for frame in ImageSequence.Iterator(movie):
            played_frames.append(np.asarray(frame.convert("RGB")))
            durations.append(frame.info["duration"])
        return np.stack(played_frames), durations, movie.info["loop"]


def test_webp_is_exact(frames, tmp_path):
    movies.save(tmp_path / "a.b", frames)
    played_frames, durations, loop = played(tmp_path / "a.b.webp")
    np.testing.assert_array_equal(played_frames, pixels(frames))
    assert (durations, loop) == ([100] * 5, 0)


def test_gif_has_every_frame(frames, tmp_path):
    """Each frame has fewer pixels than a GIF has colors."""
    movies.save(tmp_path / "a", frames)
    played_frames, durations, loop = played(tmp_path / "a.gif")
    np.testing.assert_allclose(played_frames.astype(int), pixels(frames), atol=8)
    assert (durations, loop) == ([100] * 5, 0)


def test_the_same_frames_give_the_same_bytes(frames, tmp_path):
    for name in ("a", "b"):
        paths = movies.save(tmp_path / name, frames)
        assert paths == [tmp_path / f"{name}.webp", tmp_path / f"{name}.gif"]
    for kind in ("webp", "gif"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_what_is_too_wide_for_webp(tmp_path):
    paths = movies.save(tmp_path / "a", np.eye(2, 16384, dtype=np.float32).reshape(2, 1, 16384, 1).repeat(3, -1))
    assert [path.suffix for path in paths] == [".gif"]


def ffmpeg(folder: Path, code: str) -> None:
    """Write a program named ffmpeg that runs `code`, which sees its arguments as `words` and its input as `sent`."""
    folder.mkdir()
    lines = [f"#!{sys.executable}", "import sys", "words, sent = sys.argv[1:], sys.stdin.buffer.read()", code, ""]
    (folder / "ffmpeg").write_text("\n".join(lines))
    (folder / "ffmpeg").chmod(0o755)


def test_ffmpeg_is_sent_the_frames(frames, tmp_path):
    ffmpeg(tmp_path / "empty", "open(words[-1], 'wb').write(' '.join(words[:-1]).encode() + b'|' + sent)")
    paths = movies.save(tmp_path / "a", frames)
    assert [path.suffix for path in paths] == [".webp", ".gif", ".mp4"]
    words, _, sent = paths[-1].read_bytes().partition(b"|")
    levels = pixels(frames)
    assert sent == np.concatenate([levels, levels[:, :, -1:]], 2).tobytes()  # sides have to be even
    assert b"-f rawvideo -pix_fmt rgb24 -s 10x6 -r 10 -i - " in words


@pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg")
@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 33)])
def test_ffmpeg_makes_a_movie_of_the_frames(height, width, tmp_path, monkeypatch):
    """Encode slow waves, which lossy compression keeps, and let ffmpeg decode them to frames with even sides."""
    monkeypatch.setenv("PATH", str(Path(str(FFMPEG)).parent))
    rows, columns = np.indices((height, width))
    waves = [0.5 + 0.3 * np.sin(columns / 9 + color + i / 2) * np.cos(rows / 9) for i in range(4) for color in range(3)]
    frames = np.moveaxis(np.reshape(waves, (4, 3, height, width)), 1, -1).astype(np.float32)
    path = movies.save(tmp_path / "a", frames)[-1]
    words = [str(FFMPEG), "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    data = subprocess.run(words, capture_output=True, check=True).stdout
    decoded = np.frombuffer(data, np.uint8).reshape(4, height + height % 2, width + width % 2, 3)[:, :height, :width]
    assert np.abs(decoded.astype(float) - pixels(frames)).mean() < 6
    again = movies.save(tmp_path / "b", frames)[-1]
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("code", ["sys.exit(1)", "open(words[-1], 'w').write('half')\nsys.exit(1)", "pass"])
def test_ffmpeg_that_fails_leaves_no_movie(code, frames, tmp_path):
    ffmpeg(tmp_path / "empty", code)
    movies.save(tmp_path / "a", frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.webp", "empty"]


def test_a_missing_folder_is_an_error(frames, tmp_path):
    with pytest.raises(errors.EnvironmentFault, match="cannot write"):
        movies.save(tmp_path / "no" / "a", frames)
