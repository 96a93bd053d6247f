"""Videos through ffmpeg; a script replaces it in the tests of how it is called."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from texjax import errors
from texjax.images import videos

FFMPEG = shutil.which("ffmpeg")
RATE = "30000/1001"


@pytest.fixture(autouse=True)
def no_programs(monkeypatch, tmp_path):
    """Leave no program on the PATH."""
    (tmp_path / "programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))


def ffmpeg(folder: Path, code: str) -> None:
    """Write a program named ffmpeg that runs `code`, which sees its arguments as `words`."""
    program = folder / "programs" / "ffmpeg"
    program.write_text("\n".join([f"#!{sys.executable}", "import sys", "words = sys.argv[1:]", code, ""]))
    program.chmod(0o755)


def frames(count: int, height: int, width: int) -> np.ndarray:
    """Levels of random frames."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def test_a_header(tmp_path):
    line = "YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C420jpeg"
    ffmpeg(tmp_path, f"assert 'a.mp4' in words and '-frames:v' in words; print({line!r}); print('FRAME')")
    assert videos.header(Path("a.mp4")) == (360, 640, RATE)


def test_frames_come_one_at_a_time(tmp_path):
    levels = frames(3, 4, 6)
    (tmp_path / "raw").write_bytes(levels.tobytes())
    ffmpeg(tmp_path, f"sys.stdout.buffer.write(open({str(tmp_path / 'raw')!r}, 'rb').read())")
    read = list(videos.frames(Path("a.mp4"), videos.Header(4, 6, RATE)))
    np.testing.assert_allclose(np.stack(read), levels / 255, atol=1e-6)


def test_frames_and_sound_are_sent(tmp_path):
    """Odd sides are made even; the last word is the file that ffmpeg writes."""
    ffmpeg(tmp_path, "open(words[-1], 'wb').write(' '.join(words[:-1]).encode() + b'|' + sys.stdin.buffer.read())")
    levels = frames(2, 3, 5)
    videos.save(tmp_path / "b.mp4", (frame / 255 for frame in levels), RATE, Path("sound.mp4"))
    words, _, sent = (tmp_path / "b.mp4").read_bytes().partition(b"|")
    assert sent == np.pad(levels, ((0, 0), (0, 1), (0, 1), (0, 0)), "edge").tobytes()
    assert b"-f rawvideo -pix_fmt rgb24 -s 6x4 -r 30000/1001 -i - -i sound.mp4 -map 0:v -map 1:a? " in words


def test_without_ffmpeg(tmp_path):
    with pytest.raises(errors.TexjaxError, match=r"a\.mp4 is a video, and there is no ffmpeg .*; install ffmpeg"):
        videos.header(tmp_path / "a.mp4")


@pytest.mark.parametrize("code", ["print('what is\\nthis', file=sys.stderr); sys.exit(1)", "print('FRAME')"])
def test_what_is_no_video(code, tmp_path):
    ffmpeg(tmp_path, code)
    with pytest.raises(errors.TexjaxError, match=r"a\.mp4: ffmpeg cannot read this video \((what is this|it says no)"):
        videos.header(Path("a.mp4"))


def test_a_video_that_is_cut_short(tmp_path):
    ffmpeg(tmp_path, "sys.stdout.buffer.write(bytes(20)); print('cut', file=sys.stderr)")
    read = videos.frames(Path("a.mp4"), videos.Header(2, 2, RATE))
    np.testing.assert_array_equal(next(read), np.zeros((2, 2, 3)))
    with pytest.raises(errors.TexjaxError, match=r"\(cut\)"):
        next(read)


def test_ffmpeg_that_fails_leaves_no_file(tmp_path):
    """It ends before all frames are sent, which is more than a pipe holds."""
    ffmpeg(tmp_path, "open(words[-1], 'w').write('half'); print('full', file=sys.stderr); sys.exit(1)")
    with pytest.raises(errors.TexjaxError, match=r"b\.mp4: ffmpeg did not write this video \(full\)"):
        videos.save(tmp_path / "b.mp4", (frame / 255 for frame in frames(40, 100, 100)), RATE, Path("sound.mp4"))
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg")
def test_ffmpeg_reads_what_it_wrote(tmp_path, monkeypatch):
    """Slow waves, which lossy compression keeps, beside a tone."""
    monkeypatch.setenv("PATH", str(Path(str(FFMPEG)).parent))
    tone, path = tmp_path / "tone.mp4", tmp_path / "a.mp4"
    pictures, sound = ("-f", "lavfi", "-i", "testsrc=s=32x32:d=0.2"), ("-f", "lavfi", "-i", "sine=d=0.2")
    subprocess.run([str(FFMPEG), "-v", "error", *pictures, *sound, str(tone)], check=True)
    rows, columns = np.indices((48, 66))
    waves = [0.5 + 0.3 * np.sin(columns / 9 + color + i / 2) * np.cos(rows / 9) for i in range(5) for color in range(3)]
    sent = np.moveaxis(np.reshape(waves, (5, 3, 48, 66)), 1, -1)
    videos.save(path, iter(sent), RATE, tone)
    header = videos.header(path)
    assert header == (48, 66, RATE)
    read = np.stack(list(videos.frames(path, header)))
    assert read.shape == sent.shape and np.abs(read - sent).mean() < 0.03
    streams = subprocess.run([str(FFMPEG), "-i", str(path)], capture_output=True, check=False).stderr
    assert b"Audio: aac" in streams
