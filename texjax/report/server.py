"""Serve the page of a directory on a port of this machine; the page follows its runs while they go on."""

import errno
import functools
import http.server
import json
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from texjax import errors
from texjax.runs import archive

HOST = "127.0.0.1"
# A change of one of these files changes what the page shows.
RECORDS = (archive.SWEEP_FILE, archive.RUN_FILE, archive.METRICS_FILE, archive.MEASURES_FILE)

Collect = Callable[[str], dict[str, Any]]  # version of the records -> content of the page
Render = Callable[[dict[str, Any]], bytes]  # content of the page -> HTML


def bind(directory: Path, port: int, collect: Collect, render: Render) -> http.server.ThreadingHTTPServer:
    """Return a server that shows the directory once its `serve_forever` is called.

    Args:
        directory: The directory whose files are served.
        port: The port on `HOST`; 0 for any free one.
        collect: Returns the content of the page for a version of the records; called again only for a new version.
        render: Returns the HTML of a content; likewise.

    Raises:
        TexjaxError: If the port is impossible.
        EnvironmentFault: If the port is in use.
    """
    if not 0 <= port < 2**16:
        raise errors.TexjaxError(f"--serve is {port}; give a port from 0 to 65535.")
    collect_once = functools.lru_cache(maxsize=1)(collect)
    page = functools.lru_cache(maxsize=1)(lambda version: render(collect_once(version)))
    handler = functools.partial(Handler, directory=str(directory), collect=collect_once, page=page)
    try:
        server = http.server.ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise errors.EnvironmentFault(f"cannot serve on port {port} ({reason}); give --serve another port.") from error
    server.daemon_threads = True
    return server


def version(directory: Path) -> str:
    """Return a text that changes whenever a record below the directory does."""
    paths = [path for name in RECORDS for path in directory.rglob(name)]
    states = [(str(path), stat.st_mtime_ns, stat.st_size) for path in paths if (stat := _stat(path))]
    return f"{hash(tuple(sorted(states))) & (2**64 - 1):016x}"


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:  # the file was removed or replaced after the directory was listed
        return None


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers requests with the page, its version, its content, and files below the directory."""

    def __init__(self, *args: Any, collect: Collect, page: Callable[[str], bytes], **settings: Any):
        self.collect, self.page = collect, page
        super().__init__(*args, **settings)

    def do_GET(self) -> None:
        """Answer a request."""
        path = urllib.parse.urlsplit(self.path).path
        if not self.is_for_this_machine():
            self.send_error(403, "for this machine only")
        elif path == "/-/version":
            self.answer("application/json", json.dumps(version(Path(self.directory))).encode())
        elif path in ("/", "/-/data"):
            self.answer_with_content(path)
        else:
            super().do_GET()

    def do_HEAD(self) -> None:
        """Answer a request for the headers of a file."""
        if self.is_for_this_machine():
            super().do_HEAD()
        else:
            self.send_error(403, "for this machine only")

    def answer_with_content(self, path: str) -> None:
        """Answer with the page, or with its content as JSON."""
        state = version(Path(self.directory))
        try:
            if path == "/":
                self.answer("text/html; charset=utf-8", self.page(state))
            else:
                self.answer("application/json", json.dumps(self.collect(state)).encode())
        except errors.TexjaxError as error:  # for example because the directory was removed
            self.send_error(500, explain=str(error))

    def answer(self, media_type: str, body: bytes) -> None:
        """Send a response with this body."""
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """Keep browsers from showing a cached answer, as runs go on, and from guessing what a file is."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def is_for_this_machine(self) -> bool:
        """Return whether the request names this machine; another site could make its own host name lead here."""
        return urllib.parse.urlsplit(f"//{self.headers.get('Host', '')}").hostname in (HOST, "localhost")

    def translate_path(self, path: str) -> str:
        """Return the file of a request; a file that does not exist if the request would leave the directory."""
        file = super().translate_path(path)
        is_inside = Path(file).resolve().is_relative_to(Path(self.directory).resolve())
        return file if is_inside else str(Path(self.directory) / "-")

    def list_directory(self, path: Any) -> None:
        """Refuse to list folders."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
