"""Run directories and sweep directories read back. No JAX here.

A sweep directory holds sweep.json, {"version", "config", "runs": [{"id", "swept", "command"}, ...]}, and the run
directories runs/ID; see `records` for what is in these.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from texjax import errors

VERSION = 1  # of sweep.json
ENDED = ("finished", "converged", "stalled")  # with a result, and not to be run again
STATUSES = (*ENDED, "interrupted", "failed", "running", "pending")


class Damaged(errors.TexjaxError):
    """A run directory whose records cannot be used."""


class Run(NamedTuple):
    """A run as recorded.

    config: resolved; {} where the run has not begun. record: of run.json; always has "status", one of `STATUSES`.
    swept: what sets this run of a sweep apart, by flattened config key, "arg", "source" and "content"; {} for a run by
    itself.
    """

    directory: Path
    config: dict[str, Any]
    record: dict[str, Any]
    swept: dict[str, Any]

    @property
    def status(self) -> str:
        """How it ended, or that it has not."""
        return self.record["status"]


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested groups, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def runs(directory: Path) -> tuple[list[Run], list[str]]:
    """The runs of a sweep directory in their order, of a run directory, or of all below a folder; and what is wrong.

    Those of a sweep that have not begun are "pending". The sentences name run directories whose records cannot be used,
    which are left out.

    Raises TexjaxError where there is no run at all, and for a sweep directory of another version.
    """
    if (directory / "sweep.json").exists():
        wanted = [(directory / "runs" / line["id"], line) for line in sweep(directory)["runs"]]
    else:
        wanted = [(path.parent, {}) for path in sorted(directory.rglob("run.json"))]
    if not wanted:
        raise errors.TexjaxError(f"{directory} holds no run; give the directory of a run or of a sweep.")
    found, wrong = [], []
    for path, line in wanted:
        try:
            found.append(read(path, line.get("swept", {}), line.get("command", "")))
        except Damaged as error:
            wrong.append(str(error))
    return found, wrong


def read(directory: Path, swept: dict[str, Any], command: str = "") -> Run:
    """The run of that directory. Raises Damaged where its records cannot be used."""
    if not directory.exists():
        return Run(directory, {}, {"status": "pending", "command": command}, swept)
    remedy = f"remove {directory} or run it again"
    record, config = (_load(directory / name, Damaged, remedy) for name in ("run.json", "config.json"))
    if record.get("status") not in STATUSES:
        raise Damaged(f"{directory} says nothing of how its run ended; run it again.")
    if record["status"] in ENDED and not pictures(directory):
        raise Damaged(f"{directory} has lost the pictures of its run; run it again.")
    return Run(directory, config, {"command": command} | record, swept)


def sweep(directory: Path) -> dict[str, Any]:
    """What sweep.json holds. Raises TexjaxError where it cannot be used, or is of another version."""
    found = _load(directory / "sweep.json", errors.TexjaxError, "remove this file; the next start writes it anew")
    if found.get("version") != VERSION:
        raise errors.TexjaxError(
            f"{directory} is the sweep directory of another version of texjax ({found.get('version')}, and this one "
            f"reads {VERSION}); choose another directory."
        )
    return found


def pictures(directory: Path) -> list[Path]:
    """The results of a run: outputs in order, an output's frames in a row."""
    return sorted(directory.glob("image*"))


def metrics(directory: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, one for each step; what cannot be read is left out."""
    try:
        text = (directory / "metrics.jsonl").read_text()
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def measures(directory: Path) -> dict[str, float]:
    """Name -> value of what was measured of a run's pictures and kept in measures.json; {} where it cannot be read."""
    try:
        found = json.loads((directory / "measures.json").read_text())
    except (OSError, ValueError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: float(value) for name, value in pairs if type(value) in (int, float)}


def _load(path: Path, kind: type[errors.TexjaxError], remedy: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise kind(f"{path} cannot be read ({error}); {remedy}.") from error
    if not isinstance(found, dict):
        raise kind(f"{path} is no JSON object; {remedy}.")
    return found
