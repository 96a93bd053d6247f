"""`texjax stylize`: which files become which, and what is said where they cannot."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from texjax import errors, images
from texjax.cli import stylize
from texjax.images import videos


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with pictures of 12 x 8 and 3 x 5 px."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, (name, shape) in enumerate({"a.png": (8, 12, 3), "b.tif": (5, 3, 3)}.items()):
        images.save(folder / name, np.random.default_rng(seed).random(shape))
    return folder


@pytest.fixture(autouse=True)
def negative(monkeypatch):
    """A network that makes negatives."""
    monkeypatch.setattr(stylize, "restyler", lambda path, mix: lambda photo: 1 - photo)


def call(*words: object) -> None:
    parsers = argparse.ArgumentParser()
    stylize.add_parser(parsers.add_subparsers())
    args = parsers.parse_args(["stylize", "network", *map(str, words)])
    args.run(args)


def test_every_photograph_becomes_a_picture(photos, tmp_path, capsys):
    out = tmp_path / "out" / "deep"
    call(photos, "--output-dir", out)
    assert capsys.readouterr().out.split() == [str(out / "a.png"), str(out / "b.png")]
    for path in photos.iterdir():
        result = images.load(out / f"{path.stem}.png")
        np.testing.assert_allclose(result, 1 - images.load(path), atol=1e-6)


def test_the_longer_side_is_limited(photos, tmp_path):
    call(photos, "--output-dir", tmp_path, "--max-size", 6)
    assert images.shape(tmp_path / "a.png") == (4, 6)
    assert images.shape(tmp_path / "b.png") == (5, 3)


def test_a_video_is_restyled_frame_by_frame(tmp_path, monkeypatch, capsys):
    sent = [np.full((2, 4, 3), 0.25 * i, np.float32) for i in range(3)]
    header, saved = videos.Header(2, 4, "25/1"), []
    monkeypatch.setattr(videos, "header", lambda path: header)
    monkeypatch.setattr(videos, "frames", lambda path, like: iter(sent))
    monkeypatch.setattr(videos, "save", lambda path, frames, *rest: saved.append((path, list(frames), *rest)))
    film = tmp_path / "film.MOV"
    film.write_bytes(b"moving")
    call(film, "--output-dir", tmp_path / "out")
    ((path, frames, rate, sound),) = saved
    assert (path, rate, sound) == (tmp_path / "out" / "film.mp4", "25/1", film)
    np.testing.assert_array_equal(frames, [1 - frame for frame in sent])


def test_two_results_of_one_name(photos, tmp_path):
    images.save(photos / "a.jpg", np.zeros((4, 4, 3)))
    with pytest.raises(errors.TexjaxError, match=r"a\.jpg and \S+a\.png would both become \S+a\.png; rename"):
        call(photos, "--output-dir", tmp_path)
    assert not (tmp_path / "a.png").exists()


def test_no_photograph_is_replaced(photos):
    before = (photos / "a.png").read_bytes()
    with pytest.raises(errors.TexjaxError, match=r"would replace \S+a\.png; give another --output-dir"):
        call(photos, "--output-dir", photos)
    assert (photos / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["nothing.png"], r"nothing\.png: no such file"), ([".", "--max-size", "0"], "--max-size is 0")],
)
def test_what_cannot_be_restyled(words, sentence, tmp_path):
    with pytest.raises(errors.TexjaxError, match=sentence):
        call(*words, "--output-dir", tmp_path)
