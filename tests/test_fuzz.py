"""Damaged files of every kind are read or refused in one sentence; `experiments/fuzz.py` tries many more of them."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import fuzz
from texjax import errors

READERS = (
    *("pictures", "shapes", "tga", "weights", "configs", "records", "run configs", "metrics", "measures"),
    *("resumed records", "resumed configs"),
)


@pytest.fixture(scope="module")
def readers(tmp_path_factory) -> dict[str, fuzz.Reader]:
    return fuzz.readers(tmp_path_factory.mktemp("readers"), None)


def test_every_reader_is_tried(readers):
    assert tuple(readers) == READERS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in READERS if name != "configs"])
def test_what_is_not_damaged_is_read(name: str, readers: dict[str, fuzz.Reader], tmp_path: Path):
    reader = readers[name]
    # Of records the first is whole, and the others hold a strange value each.
    for content in reader.seeds[:1] if len(reader.seeds) > 20 else reader.seeds:
        assert fuzz.trial(reader, tmp_path / f"input{reader.suffix}", content) is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_what_is_damaged_is_read_or_refused(name: str, readers: dict[str, fuzz.Reader], tmp_path_factory):
    reader, path = readers[name], tmp_path_factory.mktemp("damaged") / f"input{readers[name].suffix}"

    @settings(max_examples=60)
    @given(st.integers(0, 2**64))
    def check(seed: int) -> None:
        assert fuzz.trial(reader, path, fuzz.damaged(random.Random(seed), reader.seeds)) in (None, "")

    check()


def test_a_reader_that_crashes_hangs_or_talks_too_much_is_seen(tmp_path, monkeypatch):
    def crash(path: Path) -> None:
        raise KeyError("no")

    def hang(path: Path) -> None:
        while True:
            pass

    def talk(path: Path) -> None:
        raise errors.TexjaxError("two\nlines.")

    monkeypatch.setattr(fuzz, "SECONDS", 1)
    told = [fuzz.trial(fuzz.Reader(read, []), tmp_path / "input", b"") for read in (crash, hang, talk)]
    assert told == ["KeyError: 'no'", "TimeoutError: longer than 1 s", "no sentence: two\nlines."]


def test_a_reader_that_takes_much_memory_is_seen(tmp_path, monkeypatch):
    peaks = iter((2**30, 2**30 + 400 * 2**20, 2**30 + 400 * 2**20))
    monkeypatch.setattr(fuzz, "peak", lambda: next(peaks))
    assert fuzz.trial(fuzz.Reader(lambda path: None, []), tmp_path / "input", b"") == "400 MiB"
