"""What a page shows of runs, as JSON can hold it. No JAX here."""

import itertools
import math
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from texjax import errors
from texjax.images import thumbnails
from texjax.runs import archive

POINTS = 100  # of a curve
GROUPS = ("sources", "content", "analogy")

Link = Callable[[Path], str]  # what links a page to a picture at full size


class Shown(NamedTuple):
    """A picture by name; path: None where there is no such file any more."""

    name: str
    path: Path | None


def data(directory: Path, link: Link, live: str = "") -> dict[str, Any]:
    """All that the page shows, as JSON can hold it. link: of a picture at full size. live: the version, of a server.

    Raises TexjaxError where there is no such directory, and no run in it.
    """
    check(directory)
    runs, problems = archive.runs(directory)
    shown = [(outputs(run), *(given(run.record, group) for group in GROUPS)) for run in runs]
    album = list(dict.fromkeys(picture for groups in shown for group in groups for picture in group))
    places = {picture: i for i, picture in enumerate(album)}
    # Others than the first of a run are shown large only.
    leading = {picture for results, *others in shown for picture in itertools.chain(results[:1], *others)}
    configs = [{key: plain(value) for key, value in archive.flat(run.config).items()} for run in runs]
    common = shared([config for config in configs if config])
    return {
        "title": directory.resolve().name,
        "directory": str(directory),
        "live": live,
        "problems": problems,
        "common": common,
        "pictures": [depicted(picture, link, picture in leading) for picture in album],
        "runs": [
            about(run, directory)
            | {
                "config": {key: value for key, value in config.items() if key not in common},
                "movies": [link(path) for path in sorted(run.directory.glob("animation*.webp"))],
            }
            | {
                of: [places[picture] for picture in group]
                for of, group in zip(("pictures", *GROUPS), groups, strict=True)
            }
            for run, config, groups in zip(runs, configs, shown, strict=True)
        ],
    }


def check(directory: Path) -> None:
    """Raises TexjaxError where there is no such directory."""
    if not directory.is_dir():
        raise errors.TexjaxError(f"{directory} is no directory; give that of a run or of a sweep.")


def about(run: archive.Run, directory: Path) -> dict[str, Any]:
    """A run without its config and pictures."""
    lines = [line for line in archive.metrics(run.directory) if "loss" in line]
    last = lines[-1] if lines else {}
    return {
        "id": name(run, directory),
        "status": run.status,
        "begun": bool(run.config),
        "swept": plain(run.swept),
        "measures": {key: number(value) for key, value in archive.measures(run.directory).items()},
        "steps": run.record.get("steps", last.get("step")),
        "seconds": run.record.get("seconds", last.get("seconds")),
        "peak_bytes": run.record.get("peak_bytes"),
        "loss": number(last.get("loss")),
        "command": run.record.get("command", ""),
        "error": run.record.get("error", ""),
        "curve": curve(lines),
    }


def name(run: archive.Run, directory: Path) -> str:
    """What tells the run from others of the directory: its path there, without "runs/" of a sweep."""
    path = Path(os.path.relpath(run.directory, directory)).as_posix()
    return directory.resolve().name if path == "." else path.removeprefix("runs/")


def outputs(run: archive.Run) -> list[Shown]:
    """The results of a run."""
    return [Shown(path.name, path) for path in archive.pictures(run.directory)]


def given(record: dict[str, Any], group: str) -> list[Shown]:
    """The pictures of that group that a run was given."""
    names = [entry["name"] for entry in record.get(group, ())]
    paths = [Path(path) for path in record.get(f"{group.removesuffix('s')}_paths", ())]
    pairs = itertools.zip_longest(names, paths)
    return [Shown(name or path.name, path if path and path.is_file() else None) for name, path in pairs]


def depicted(picture: Shown, link: Link, leading: bool) -> dict[str, Any]:
    """The name of a picture, where it is, its sides and a small one; the name alone where it cannot be shown."""
    if picture.path is None:
        return {"name": picture.name}
    try:
        thumbnail = thumbnails.small(picture.path) if leading else None
        source = link(picture.path)
    except (OSError, errors.TexjaxError):
        return {"name": picture.name}
    small = {"thumb": thumbnail.uri, "width": thumbnail.width, "height": thumbnail.height} if thumbnail else {}
    return {"name": picture.name, "src": source, **small}


def shared(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The keys, with their values, that all have in common."""
    first, *rest = configs or [{}]
    return {key: value for key, value in first.items() if all(key in o and same(o[key], value) for o in rest)}


def same(a: Any, b: Any) -> bool:
    """Equality as JSON sees it, where 1 is not true."""
    return a == b and type(a) is type(b)


def curve(lines: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Steps, loss and terms of at most `POINTS` of the lines, the first and the last among them; outputs' means."""
    count = min(POINTS, len(lines))
    picked = [lines[round(i * (len(lines) - 1) / max(count - 1, 1))] for i in range(count)]
    terms = list(picked[-1].get("terms", {})) if picked else []
    found = {name: [number(line.get("terms", {}).get(name)) for line in picked] for name in terms}
    steps = {"step": [line.get("step") for line in picked], "loss": [number(line["loss"]) for line in picked]}
    return steps | ({f"term {name}": values for name, values in found.items()} if len(terms) > 1 else {})


def number(value: Any) -> float | None:
    """A number, or the mean of several, to four digits; None where it is none."""
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        return None
    return float(f"{statistics.fmean(values):.4g}")


def plain(value: Any) -> Any:
    """The value without what JSON has no number for."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
