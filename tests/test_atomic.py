"""Files that are written whole or not at all."""

import os
import stat

import pytest

from texjax import atomic, errors


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    atomic.write(path, b"old")
    atomic.write(str(path), b"new and longer")
    assert path.read_bytes() == b"new and longer"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_has_the_permissions_of_any_new_file(tmp_path, umask: int, mode: int):
    before = os.umask(umask)
    try:
        atomic.write(tmp_path / "a", b"x")
    finally:
        after = os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert after == umask


@pytest.mark.parametrize("failing", ["replace", "chmod"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_leaves_the_old_file_and_no_temporary_file(tmp_path, monkeypatch, failing: str, existing: bool):
    path = tmp_path / "a.bin"
    if existing:
        path.write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(errors.EnvironmentFault, match=r"a\.bin \(No space left on device\)"):
        atomic.write(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([b"old"] if existing else [])


def test_an_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "a.bin", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_the_environments_fault(tmp_path):
    with pytest.raises(errors.EnvironmentFault, match="No such file or directory"):
        atomic.write(tmp_path / "missing" / "a.bin", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(errors.EnvironmentFault):
        atomic.write(tmp_path / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_very_long_name_can_be_written(tmp_path):
    path = tmp_path / ("a" * 250)
    atomic.write(path, b"x")
    assert path.read_bytes() == b"x"
