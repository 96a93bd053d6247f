"""Collect what a page shows of runs, as JSON can hold it. No JAX here."""

import itertools
import math
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import errors
from texjax.images import thumbnails
from texjax.runs import archive

POINTS = 100  # the largest number of points of a curve

Link = Callable[[Path], str]  # returns the address by which a page shows a picture at full size


class Picture(NamedTuple):
    """A picture of a run; the path is None if the file does not exist any more."""

    name: str
    path: Path | None


class RunPictures(NamedTuple):
    """The pictures of a run: those that it made, and each group of those that it was given."""

    outputs: list[Picture]
    groups: dict[str, list[Picture]]

    def thumbnails(self) -> list[Picture]:
        """Return the pictures that the page shows small too: other outputs than the first are shown only large."""
        return [*self.outputs[:1], *itertools.chain(*self.groups.values())]

    def all(self) -> list[Picture]:
        """Return all pictures."""
        return [*self.outputs, *itertools.chain(*self.groups.values())]


def collect(directory: Path, link: Link, live: str = "") -> dict[str, Any]:
    """Return everything that the page of a run, a sweep or a folder of runs shows.

    Args:
        directory: The directory of the run or sweep, or a folder.
        link: Returns the address of a picture at full size.
        live: The version of the records if a server shows the page, which then asks for newer ones.

    Raises:
        TexjaxError: If the directory does not exist or holds no run.
    """
    check_directory(directory)
    runs, problems = archive.runs(directory)
    pictures = [_pictures(run) for run in runs]
    album = list(dict.fromkeys(picture for of_run in pictures for picture in of_run.all()))
    index = {picture: i for i, picture in enumerate(album)}
    with_thumbnail = {picture for of_run in pictures for picture in of_run.thumbnails()}
    settings = [{key: _json_value(value) for key, value in archive.flat(run.config).items()} for run in runs]
    common = common_items([items for items in settings if items])
    entries = []
    for run, of_run, items in zip(runs, pictures, settings, strict=True):
        entry = _run_entry(run, directory)
        entry["config"] = {key: value for key, value in items.items() if key not in common}
        addresses = [_address(path, link) for path in archive.movies(run.directory)]
        entry["movies"] = [address for address in addresses if address]
        entry["pictures"] = [index[picture] for picture in of_run.outputs]
        entry |= {group: [index[picture] for picture in members] for group, members in of_run.groups.items()}
        entries.append(entry)
    return {
        "title": directory.resolve().name,
        "directory": str(directory),
        "live": live,
        "problems": problems,
        "common": common,
        "pictures": [_picture_entry(picture, link, picture in with_thumbnail) for picture in album],
        "runs": entries,
    }


def check_directory(directory: Path) -> None:
    """Raise TexjaxError if the directory does not exist."""
    if not directory.is_dir():
        raise errors.TexjaxError(f"{directory} is no directory; give the directory of a run or of a sweep.")


def run_id(run: archive.Run, directory: Path) -> str:
    """Return the run's path below the directory, without the "runs/" of a sweep; the page calls the run so."""
    path = Path(os.path.relpath(run.directory, directory)).as_posix()
    return directory.resolve().name if path == "." else path.removeprefix(f"{archive.RUNS_FOLDER}/")


def common_items(mappings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the items that all mappings share."""
    first, *others = mappings or [{}]
    return {
        key: value
        for key, value in first.items()
        if all(key in other and _json_equal(other[key], value) for other in others)
    }


def curve(lines: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return steps, losses and terms of at most `POINTS` lines of metrics.jsonl, evenly spread from first to last.

    Values are means over the outputs. A single term is left out, because it equals the loss.
    """
    count = min(POINTS, len(lines))
    points = [lines[round(i * (len(lines) - 1) / max(count - 1, 1))] for i in range(count)]
    terms = list(points[-1].get("terms", {})) if points else []
    columns = {"step": [line.get("step") for line in points], "loss": [_mean(line["loss"]) for line in points]}
    if len(terms) > 1:
        columns |= {f"term {term}": [_mean(line.get("terms", {}).get(term)) for line in points] for term in terms}
    return columns


def _run_entry(run: archive.Run, directory: Path) -> dict[str, Any]:
    """Return what the page shows of a run, except its config and pictures."""
    lines = [line for line in archive.metrics(run.directory) if "loss" in line]
    last = lines[-1] if lines else {}
    return {
        "id": run_id(run, directory),
        "status": run.status,
        "begun": bool(run.config),
        "swept": _json_value(run.swept),
        "measures": {name: _mean(value) for name, value in archive.measures(run.directory).items()},
        "steps": run.record.get("steps", last.get("step")),
        "seconds": run.record.get("seconds", last.get("seconds")),
        "peak_bytes": run.record.get("peak_bytes"),
        "loss": _mean(last.get("loss")),
        "command": run.record.get("command", ""),
        "error": run.record.get("error", ""),
        "curve": curve(lines),
    }


def _pictures(run: archive.Run) -> RunPictures:
    outputs = [Picture(path.name, path) for path in archive.pictures(run.directory)]
    return RunPictures(outputs, {group: _group(run.record, group) for group in configs.GROUPS})


def _group(record: dict[str, Any], group: str) -> list[Picture]:
    """Return the pictures of a group that a run was given, by the names and the paths in its record."""
    names = [picture["name"] for picture in record.get(group, ())]
    pairs = itertools.zip_longest(names, archive.picture_paths(record, group))
    return [Picture(name or path.name, path if path and path.is_file() else None) for name, path in pairs]


def _picture_entry(picture: Picture, link: Link, with_thumbnail: bool) -> dict[str, Any]:
    """Return a picture's name, address, size and thumbnail; its name alone if it cannot be read."""
    if picture.path is None:
        return {"name": picture.name}
    try:
        thumbnail = thumbnails.small(picture.path) if with_thumbnail else None
    except (OSError, errors.TexjaxError):
        return {"name": picture.name}
    address = _address(picture.path, link)
    if address is None:
        return {"name": picture.name}
    entry: dict[str, Any] = {"name": picture.name, "src": address}
    if thumbnail:
        entry |= {"thumb": thumbnail.uri, "width": thumbnail.width, "height": thumbnail.height}
    return entry


def _address(path: Path, link: Link) -> str | None:
    """Return the address of a picture, or None if it cannot be read."""
    try:
        return link(path)
    except (OSError, errors.TexjaxError):
        return None


def _json_equal(a: Any, b: Any) -> bool:
    """Return whether the values are equal in JSON, where 1 differs from true."""
    return a == b and type(a) is type(b)


def _mean(value: Any) -> float | None:
    """Return a number, or the mean of a list of numbers, to four digits; None if one is missing or not finite."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(number, int | float) and abs(number) < math.inf for number in values):
        return None
    try:
        return float(f"{statistics.fmean(values):.4g}")
    except OverflowError:  # JSON has integers of any size
        return None


def _json_value(value: Any) -> Any:
    """Return the value with infinities and NaN as text, because JSON has no numbers for them."""
    if isinstance(value, dict):
        return {key: _json_value(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_json_value(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
