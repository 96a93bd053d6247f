"""Write one HTML page that shows a run or a sweep. No JAX here.

The page contains everything it shows except the pictures at full size, to which it has relative paths unless they are
embedded. It contacts no server; only the page of `report.server` asks its own server for newer records.
"""

import base64
import hashlib
import os
import urllib.parse
from pathlib import Path
from typing import Any

import jinja2

from texjax import atomic
from texjax.images import thumbnails
from texjax.report import data

FILE = "report.html"
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("page.css", "views.css", "viewer.css")
SCRIPTS = (  # main.js is last, because it starts the page
    "base.js",
    "fields.js",
    "filter.js",
    "state.js",
    "curve.js",
    "details.js",
    "sheet.js",
    "grid.js",
    "table.js",
    "zoom.js",
    "panes.js",
    "viewer.js",
    "live.js",
    "main.js",
)


def write(directory: Path, output: Path | None = None, embed: bool = False) -> Path:
    """Write the page of a run, a sweep or a folder of runs, and return the path of the page.

    Args:
        directory: The directory that the page shows.
        output: The path of the page; `directory`/report.html unless given.
        embed: Whether to put the pictures at full size into the page, which can then be sent alone.

    Raises:
        TexjaxError: If there is no run.
        EnvironmentFault: If the page cannot be written.
    """
    output = output or directory / FILE
    content = data.collect(directory, thumbnails.whole if embed else relative_link(output.parent))
    atomic.write(output, render(content))
    return output


def relative_link(folder: Path) -> data.Link:
    """Return a function from pictures to their addresses in a page in that folder.

    An address is the relative path of the picture, or the embedded picture if browsers do not show its format.
    """

    def link(path: Path) -> str:
        if path.suffix.lower() not in thumbnails.KINDS:
            return thumbnails.whole(path)
        return urllib.parse.quote(os.fsencode(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()))

    return link


def served_link(directory: Path) -> data.Link:
    """Return a function from pictures to their addresses in a page that a server of that directory shows.

    The server shows files below its directory only, so that all other pictures are embedded.
    """
    relative = relative_link(directory)

    def link(path: Path) -> str:
        return relative(path) if path.resolve().is_relative_to(directory.resolve()) else thumbnails.whole(path)

    return link


def render(content: dict[str, Any]) -> bytes:
    """Return the HTML of the page. content: what `data.collect` returned."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    style, script = ("\n".join((TEMPLATES / name).read_text() for name in names) for names in (STYLES, SCRIPTS))
    text = environment.get_template("report.html").render(
        title=content["title"],
        problems=content["problems"],
        data=content,
        style=style,
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return text.encode(errors="replace")  # file names need not be valid Unicode
