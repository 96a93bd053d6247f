"""Downloads from a server on this machine that misbehaves in the ways in which real servers do."""

import hashlib
import http.server
import os
import threading

import pytest

from texjax import errors
from texjax.features.weights import catalog, download

DATA = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
    release = threading.Event()

    def do_GET(self):
        kind = self.path.strip("/")
        if kind == "missing":
            self.send_error(404)
            return
        if kind == "silent":
            self.release.wait(5)
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        if kind == "stalls":
            self.wfile.write(DATA[:1000])
            self.wfile.flush()
            self.release.wait(5)
        body = {"good": DATA, "wrong": DATA[::-1], "cut": DATA[: len(DATA) // 2]}.get(kind, b"")
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def known(monkeypatch):
    """A function that gives the file "vgg19" addresses of which each behaves as one of `kinds` in `Handler`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.release.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def use(*kinds: str, checksum: str = "md5:" + hashlib.md5(DATA).hexdigest()):
            urls = tuple(f"http://127.0.0.1:{server.server_port}/{kind}" for kind in kinds)
            file = catalog.FILES["vgg19"]._replace(urls=urls, checksum=checksum, size=len(DATA))
            monkeypatch.setitem(catalog.FILES, "vgg19", file)

        yield use
        Handler.release.set()
        server.shutdown()
        thread.join()


class Recorder:
    """A progress bar as pooch calls it, which records the calls."""

    def __init__(self):
        self.total, self.done, self.closed = 0, 0, False

    def update(self, size):
        self.done += size

    def reset(self):
        self.done = 0

    def close(self):
        self.closed = True


def test_a_good_download_is_kept_and_not_repeated(known, tmp_path):
    known("good")
    progress = Recorder()
    path = download.fetch("vgg19", tmp_path / "new" / "folder", progress=progress)
    assert path.read_bytes() == DATA
    assert [p.name for p in path.parent.iterdir()] == [catalog.FILES["vgg19"].filename]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask  # readable as any new file, for other users too
    assert (progress.total, progress.done, progress.closed) == (len(DATA), len(DATA), True)
    known("missing")
    assert download.fetch("vgg19", tmp_path / "new" / "folder") == path


def test_the_first_digits_of_a_checksum_are_verified(known, tmp_path):
    known("good", checksum="sha256:" + hashlib.sha256(DATA).hexdigest()[:8])
    assert download.fetch("vgg19", tmp_path).read_bytes() == DATA
    known("good", checksum="sha256:" + hashlib.sha256(DATA[::-1]).hexdigest()[:8])
    with pytest.raises(errors.EnvironmentFault, match="another checksum than sha256:"):
        download.fetch("vgg19", tmp_path / "elsewhere")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("first", ["missing", "wrong", "cut", "silent"])
def test_the_mirror_is_tried(known, tmp_path, first):
    known(first, "good")
    assert download.fetch("vgg19", tmp_path, progress=Recorder(), timeout=0.3).read_bytes() == DATA


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", r"answered 404 .*Not Found"),
        ("wrong", "1,024,000 bytes with another checksum than md5:"),
        ("cut", "connection was cut"),
        ("silent", "no answer within 0.3 s"),
        ("stalls", "no answer within 0.3 s"),
    ],
)
def test_a_bad_download_leaves_what_was_there(known, tmp_path, kind, reason):
    known(kind)
    (tmp_path / catalog.FILES["vgg19"].filename).write_bytes(b"old")
    with pytest.raises(errors.EnvironmentFault, match=reason) as caught:
        download.fetch("vgg19", tmp_path, timeout=0.3)
    assert str(tmp_path) in str(caught.value)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_no_server_and_no_room(known, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    file = catalog.FILES["vgg19"]._replace(urls=("http://127.0.0.1:9/x",))
    monkeypatch.setitem(catalog.FILES, "vgg19", file)
    with pytest.raises(errors.EnvironmentFault, match="no connection"):
        download.fetch("vgg19", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    known("good")
    with pytest.raises(errors.EnvironmentFault, match=r"could not be written to .*--to or TEXJAX_CACHE"):
        download.fetch("vgg19", tmp_path / "file")


def test_a_full_disk(known, tmp_path, monkeypatch):
    import pooch

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    known("good")
    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(errors.EnvironmentFault, match="No space left on device"):
        download.fetch("vgg19", tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_offered_for_download():
    with pytest.raises(errors.TexjaxError, match="did you mean 'vgg19'"):
        download.fetch("vgg18")
    with pytest.raises(errors.TexjaxError, match="no published checksum"):
        download.fetch("vgg19-gatys")
