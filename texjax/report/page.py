"""One HTML page that shows a run or a sweep. No JAX here.

The page holds everything it shows but the pictures at full size, which it finds by relative paths unless they are
embedded. It asks no server for anything; only the page of `report_server` asks its own for news.
"""

import base64
import hashlib
import os
import urllib.parse
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from texjax import atomic
from texjax.images import thumbnails
from texjax.report import data

FOLDER = Path(__file__).parent / "templates"
STYLES = ("page.css", "views.css", "viewer.css")
SCRIPTS = (
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
    """Write the page of a run's or a sweep's directory, and return its path, DIRECTORY/report.html unless given.

    embed: put the pictures at full size into it, so that it is complete by itself.

    Raises TexjaxError where there is no run, and EnvironmentFault where the page cannot be written.
    """
    output = output or directory / "report.html"
    found = data.data(directory, thumbnails.whole if embed else relative(output.parent))
    atomic.write(output, page(found))
    return output


def relative(folder: Path) -> data.Link:
    """What links a picture to a page in that folder: its path from there, or itself where browsers do not show it."""

    def link(path: Path) -> str:
        if path.suffix.lower() not in thumbnails.KINDS:
            return thumbnails.whole(path)
        return urllib.parse.quote(os.fsencode(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()))

    return link


def inside(directory: Path) -> data.Link:
    """What links a picture to a page served from that directory: others than those below it are embedded."""
    near = relative(directory)

    def link(path: Path) -> str:
        return near(path) if path.resolve().is_relative_to(directory.resolve()) else thumbnails.whole(path)

    return link


def page(found: dict[str, Any]) -> bytes:
    """The page that shows `data`."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True)
    script = "\n".join((FOLDER / name).read_text() for name in SCRIPTS)
    text = environment.get_template("report.html").render(
        title=found["title"],
        problems=found["problems"],
        data=found,
        style=markupsafe.Markup("\n".join((FOLDER / name).read_text() for name in STYLES)),
        script=markupsafe.Markup(script),
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return text.encode(errors="replace")  # names of files need not be Unicode
