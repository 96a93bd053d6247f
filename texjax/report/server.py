"""The page of a directory on this machine's own port, up to date while runs go on."""

import errno
import functools
import http.server
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from texjax import errors

HOST = "127.0.0.1"
RECORDS = ("sweep.json", "run.json", "metrics.jsonl", "measures.json")

Make = Callable[[str], dict[str, Any]]
Render = Callable[[dict[str, Any]], bytes]


def bound(directory: Path, port: int, make: Make, render: Render) -> http.server.ThreadingHTTPServer:
    """A server that shows the directory, to be run by its `serve_forever`; port 0: any that is free.

    make: the page's data, given the version of the records. render: the page of the data.

    Raises TexjaxError for an impossible port, and EnvironmentFault for one that is in use.
    """
    if not 0 <= port < 2**16:
        raise errors.TexjaxError(f"--serve is {port}; give a port from 0 to 65535.")
    made = functools.lru_cache(maxsize=1)(make)
    handler = functools.partial(Handler, directory=str(directory), make=made, render=render)
    try:
        server = http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise errors.EnvironmentFault(f"cannot serve on port {port} ({reason}); give --serve another port.") from error
    server.daemon_threads = True
    return server


def version(directory: Path) -> str:
    """Changes whenever records below the directory do."""
    paths = [path for name in RECORDS for path in directory.rglob(name)]
    times = [(str(path), stat.st_mtime_ns, stat.st_size) for path in paths if (stat := _stat(path))]
    return f"{hash(tuple(sorted(times))) & (2**64 - 1):016x}"


def _stat(path: Path) -> Any:
    try:
        return path.stat()
    except FileNotFoundError:  # replaced just now
        return None


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers with the page, its version, its data, and files below the directory."""

    def __init__(self, *args: Any, make: Make, render: Render, **settings: Any):
        self.make, self.render = make, render
        super().__init__(*args, **settings)

    def do_GET(self) -> None:
        """Answer a request."""
        path = urllib.parse.urlsplit(self.path).path
        if not self.own():
            self.send_error(403, "for this machine only")
        elif path == "/-/version":
            self.answer("application/json", json.dumps(version(Path(self.directory))).encode())
        elif path in ("/", "/-/data"):
            self.show(path)
        else:
            super().do_GET()

    def show(self, path: str) -> None:
        """Answer with the page or its data."""
        try:
            found = self.make(version(Path(self.directory)))
        except errors.TexjaxError as error:  # of a directory that was removed, say
            self.send_error(500, explain=str(error))
            return
        if path == "/":
            self.answer("text/html; charset=utf-8", self.render(found))
        else:
            self.answer("application/json", json.dumps(found).encode())

    def answer(self, kind: str, body: bytes) -> None:
        """Send the body."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """Let nothing be shown that was kept from before: runs go on."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def own(self) -> bool:
        """Whether the request names this machine: another site's name can be made to lead here."""
        return urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname in (HOST, "localhost")

    def translate_path(self, path: str) -> str:
        """The file a request means; one that is not there where it would lead out of the directory."""
        found = super().translate_path(path)
        inside = Path(found).resolve().is_relative_to(Path(self.directory).resolve())
        return found if inside else str(Path(self.directory) / "-")

    def list_directory(self, path: Any) -> None:
        """Folders are not shown."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
