"""Read run directories and sweep directories. No JAX here.

Every file name in them stands in this module, for those who write the files and for those who read them.

A run directory, which `records` writes, holds

    config.json      the resolved config
    run.json         command, versions, devices, hashes of weights and pictures, seed, how and when the run ended
    metrics.jsonl    one line per step: loss, its terms, gradient norm, evaluations, range, seconds
    loss.png         the loss over the steps
    progress/        I0010_F0000.png: step 10, picture 0
    image.png        the result; image_0000.png, image_0001.png, ... for several outputs or frames, where the frames of
                     an output follow each other
    animation.webp   the frames as a movie, if there are several; also .gif and, if ffmpeg is installed, .mp4;
                     animation_0000.webp, ... for several outputs
    network.safetensors  the generator that a training has made
    checkpoints/     where the optimization stood, from which `texjax resume` goes on
    measures.json    measures of the result against the sources, once somebody has asked for them

A sweep directory, which `sweeps` writes, holds

    sweep.json       {"version", "config", "runs": [{"id", "swept", "command"}, ...]}
    runs/ID/         one run directory per run
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from texjax import errors

CONFIG_FILE = "config.json"
RUN_FILE = "run.json"
METRICS_FILE = "metrics.jsonl"
CURVE_FILE = "loss.png"
MEASURES_FILE = "measures.json"
NETWORK_FILE = "network.safetensors"
PROGRESS_FOLDER = "progress"
CHECKPOINT_FOLDER = "checkpoints"
IMAGE_STEM = "image"
ANIMATION_STEM = "animation"
SWEEP_FILE = "sweep.json"
RUNS_FOLDER = "runs"

VERSION = 1  # of sweep.json
ENDED = ("finished", "converged", "stalled")  # a run of such a status has its result and is not run again
STATUSES = (*ENDED, "interrupted", "failed", "running", "pending")


NUMBER = (int, float)
PICTURE_GROUPS = ("sources", "content", "analogy", "init")  # keys of run.json with names and hashes
# The types of what run.json may hold, where a reader relies on them.
TYPES = {
    "command": str,
    "error": str,
    "steps": NUMBER,
    "seconds": NUMBER,
    "peak_bytes": NUMBER,
    "results": dict,
    "resumed": list,
    "versions": dict,
}


class Damaged(errors.TexjaxError):
    """The records of a run directory cannot be used."""


class Run(NamedTuple):
    """A run as its directory records it.

    Attributes:
        directory: The run directory.
        config: The resolved config; {} if the run has not begun.
        record: The content of run.json; it always has the key "status", one of `STATUSES`.
        swept: What distinguishes this run from the others of its sweep, by flattened config key, "arg", "source" and
            "content"; {} for a run outside a sweep.
    """

    directory: Path
    config: dict[str, Any]
    record: dict[str, Any]
    swept: dict[str, Any]

    @property
    def status(self) -> str:
        """How the run ended, or that it has not ended yet."""
        return self.record["status"]


def paths_key(group: str) -> str:
    """Return the key of run.json that holds the paths of that group of pictures, such as "source_paths"."""
    return f"{group.removesuffix('s')}_paths"


def picture_paths(record: Mapping[str, Any], group: str) -> list[Path]:
    """Return the paths of the run's pictures in that group; [] if run.json names none."""
    return [Path(path) for path in record.get(paths_key(group), ())]


def flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of a nested config by their dotted keys."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return leaves


def runs(directory: Path) -> tuple[list[Run], list[str]]:
    """Read the runs of a sweep directory, of a run directory, or of any folder with run directories below it.

    Returns:
        The runs, those of a sweep in the order of their declaration and "pending" if they have not begun; and one
        sentence for each run directory that is left out because its records cannot be used.

    Raises:
        TexjaxError: If there is no run at all, or a sweep directory was written by another version of texjax.
    """
    if (directory / SWEEP_FILE).exists():
        declared = [(directory / RUNS_FOLDER / line["id"], line) for line in sweep(directory)["runs"]]
    else:
        declared = [(path.parent, {}) for path in sorted(directory.rglob(RUN_FILE))]
    if not declared:
        raise errors.TexjaxError(f"{directory} holds no run; give the directory of a run or of a sweep.")
    readable, problems = [], []
    for path, line in declared:
        try:
            readable.append(read(path, line.get("swept", {}), line.get("command", "")))
        except Damaged as error:
            problems.append(str(error))
    return readable, problems


def read(directory: Path, swept: dict[str, Any], command: str = "") -> Run:
    """Read the run of that directory; the run is "pending" if the directory does not exist.

    Raises:
        Damaged: If the records cannot be used.
    """
    if not directory.exists():
        return Run(directory, {}, {"status": "pending", "command": command}, swept)
    remedy = f"remove {directory} or repeat the run"
    record, config = (_load(directory / name, Damaged, remedy) for name in (RUN_FILE, CONFIG_FILE))
    if record.get("status") not in STATUSES:
        raise Damaged(f"{directory} does not say how its run ended; {remedy}.")
    wrong = [key for key, value in record.items() if not _is_of_type(key, value)]
    if wrong:
        raise Damaged(f"{directory / RUN_FILE} has a strange value of {wrong[0]}; {remedy}.")
    if record["status"] in ENDED and not pictures(directory):
        raise Damaged(f"{directory} has lost the pictures of its run; {remedy}.")
    return Run(directory, config, {"command": command} | record, swept)


def read_whole(directory: Path, swept: dict[str, Any], command: str = "") -> Run:
    """Read a run as `read` does, and all pictures of a run that has ended, by the hashes in its record.

    Raises:
        Damaged: As `read`, and if a picture is not any more what the record says.
    """
    run = read(directory, swept, command)
    if run.status in ENDED:
        _check_results(run)
    return run


def _check_results(run: Run) -> None:
    """Raise Damaged if a picture that the run made is not any more what its record says."""
    for name, sha256 in run.record.get("results", {}).items():
        try:
            with (run.directory / name).open("rb") as file:
                present = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            present = ""
        if present != sha256:
            raise Damaged(f"{run.directory / name} is not what its run made; remove {run.directory} or repeat the run.")


def sweep(directory: Path) -> dict[str, Any]:
    """Read sweep.json.

    Raises:
        TexjaxError: If the file cannot be used, or was written by another version of texjax.
    """
    remedy = "remove this file; the next sweep writes it again"
    content = _load(directory / SWEEP_FILE, errors.TexjaxError, remedy)
    if content.get("version") != VERSION:
        raise errors.TexjaxError(
            f"another version of texjax wrote the sweep directory {directory} (its format is "
            f"{content.get('version')}, and this version reads {VERSION}); choose another directory."
        )
    if not _are_declarations(content.get("runs")):
        raise errors.TexjaxError(f"{directory / SWEEP_FILE} does not list the runs of a sweep; {remedy}.")
    return content


def pictures(directory: Path) -> list[Path]:
    """Return the pictures that a run made: its outputs in order, where the frames of an output follow each other."""
    return sorted(filter(_is_own, directory.glob(f"{IMAGE_STEM}*")))


def movies(directory: Path) -> list[Path]:
    """Return the animations that a run made, one WebP file per output."""
    return sorted(filter(_is_own, directory.glob(f"{ANIMATION_STEM}*.webp")))


def metrics(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl, one per step, without those that cannot be read."""
    try:
        text = (directory / METRICS_FILE).read_text(errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            lines.append(json.loads(line))
    return [line for line in lines if _is_line(line)]


def measures(directory: Path) -> dict[str, float]:
    """Return the measures of a run's pictures that measures.json holds, by name; {} if the file cannot be read."""
    try:
        content = json.loads((directory / MEASURES_FILE).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {name: float(value) for name, value in entries if type(value) in (int, float) and abs(value) < 1e300}


def _load(path: Path, kind: type[errors.TexjaxError], remedy: str) -> dict[str, Any]:
    """Read a JSON object; raise an error of that kind, with that remedy, if the file holds none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise kind(f"{path} cannot be read ({error}); {remedy}.") from error
    if not isinstance(content, dict):
        raise kind(f"{path} holds no JSON object; {remedy}.")
    return content


def _is_of_type(key: str, value: Any) -> bool:
    """Whether a value of run.json is one that its readers can use."""
    if key.endswith("_paths"):
        return isinstance(value, list) and all(isinstance(path, str) for path in value)
    if key in PICTURE_GROUPS:
        return isinstance(value, list) and all(
            isinstance(line, dict) and isinstance(line.get("name"), str) for line in value
        )
    return isinstance(value, TYPES.get(key, object))


def _is_line(line: Any) -> bool:
    """Whether a line of metrics.jsonl is one that its readers can use."""
    if not isinstance(line, dict) or not isinstance(line.get("step"), int) or "loss" not in line:
        return False
    return isinstance(line.get("terms", {}), dict) and isinstance(line.get("seconds", 0), NUMBER)


def _are_declarations(runs: Any) -> bool:
    """Whether the runs of sweep.json have ids that are names of folders."""
    return isinstance(runs, list) and all(
        isinstance(line, dict)
        and isinstance(line.get("id"), str)
        and Path(line["id"]).name == line["id"] not in (".", "..", "")
        and isinstance(line.get("swept", {}), dict)
        and isinstance(line.get("command", ""), str)
        for line in runs
    )


def _is_own(path: Path) -> bool:
    """Whether a path is a file of its folder, and no link to one elsewhere."""
    return path.is_file() and path.resolve().is_relative_to(path.parent.resolve())
