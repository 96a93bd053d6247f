"""Write a run directory: what was asked, with what it ran, how it went, and the pictures.

`archive` lists the files of a run directory, and reads them. Every file is written atomically.
"""

import hashlib
import io
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from texjax import atomic, errors, images
from texjax import config as configs
from texjax.images import movies
from texjax.runs import archive, curves, machine

COLUMNS = ("loss", "gradient", "evaluations", "failed", "low", "high")


def name(prefix: str, layers: Sequence[str], config: configs.Config) -> str:
    """Return the name of a run directory, much as subjective-functions forms it.

    It is prefix.Llayers.ooctaves[.w][.c][.f][.m][.j][.ifs][.ifo].WIDTHxHEIGHT. The parts in brackets are: w, the factor
    or width that sources are resized to, or "auto"; c and f, the numbers of outputs and of frames above 1; m, j and
    ifo, the mul, join and order of a term if it is not the default; and ifs, the shift of a term that has one.

    Raises:
        TexjaxError: If the prefix is empty, contains a slash or starts with a dot.
    """
    if not prefix or "/" in prefix or prefix.startswith("."):
        raise errors.TexjaxError(
            f"--output-prefix is '{prefix}'; give a name that has no slash and does not start with a dot."
        )
    parts = [prefix, f"L{','.join(layers)}", f"o{config.octaves}"]
    if config.source.scale:
        parts.append(f"w{config.source.scale:.2}")
    if config.source.auto_width:
        parts.append("wauto")
    if config.source.width:
        parts.append(f"w{config.source.width}")
    if config.count > 1:
        parts.append(f"c{config.count}")
    if config.frames > 1:
        parts.append(f"f{config.frames}")
    for term in config.terms.values():
        if term.get("mul", 1.0) != 1.0:
            parts.append(f"m{term.mul}")
        if term.get("join", "average") != "average":
            parts.append(f"j{term.join}")
        if "shift" in term:
            parts.append(f"ifs{term.shift}")
        if term.get("order", 2) != 2:
            parts.append(f"ifo{term.order}")
    return ".".join([*parts, "{}x{}".format(*config.size)])


def fresh(parent: Path, base: str) -> Path:
    """Make the directory `base` in `parent`, or `base`.0, `base`.1, ... if that exists, and return its path.

    Raises:
        EnvironmentFault: If the directory cannot be made.
    """
    for suffix in ("", *(f".{n}" for n in range(100_000))):
        path = parent / f"{base}{suffix}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if parent.exists() and not parent.is_dir():
                raise errors.EnvironmentFault(f"{parent} is not a directory; choose another --output-dir.") from None
            continue
        except OSError as error:
            raise _unwritable(path, error) from error
        return path
    raise errors.EnvironmentFault(f"{parent} holds too many runs called {base}; choose another --output-prefix.")


def exact(path: Path) -> Path:
    """Make `path` the run directory and return it.

    Raises:
        TexjaxError: If `path` holds a run already, so that no result is lost.
        EnvironmentFault: If the directory cannot be made.
    """
    if (path / archive.RUN_FILE).exists():
        raise errors.TexjaxError(f"{path} holds a run already; remove it or give another --run-dir.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> errors.EnvironmentFault:
    return errors.EnvironmentFault(f"cannot make the directory {path} ({error.strerror}); choose another place.")


def claim(directory: Path, config: dict[str, Any], command: str) -> None:
    """Make the directory of a run that is about to start.

    If the process dies before `begin`, the directory then shows that this run was under way.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / archive.CONFIG_FILE, config)
    write_json(directory / archive.RUN_FILE, {"status": "running", "command": command})


def begin(
    directory: Path,
    about: dict[str, Any],
    pictures: Mapping[str, Sequence[Path]],
    command: str,
    settled: configs.Config,
) -> dict[str, Any]:
    """Write config.json and run.json of a run that starts now.

    Args:
        directory: The run directory.
        about: What is also embedded in the results: the config, under "config", and hashes.
        pictures: The paths of each group of pictures.
        command: The command that makes the run; empty for this process's own.
        settled: The config with what was chosen for it, such as tiles and a shorter history where memory asks for them.

    Returns:
        The content of run.json.
    """
    record = {key: value for key, value in about.items() if key != "config"} | {
        "command": command or shlex.join(sys.argv),
        **{archive.paths_key(group): [str(path.absolute()) for path in paths] for group, paths in pictures.items()},
        "seed": about["config"]["seed"],
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "status": "running",
        "resumed": [],
        "tile": settled.tile,
        "history_size": settled.optimizer.get("history_size"),
        **machine.environment(settled.features.to_dict()),
    }
    write_json(directory / archive.CONFIG_FILE, about["config"])
    write_json(directory / archive.RUN_FILE, record)
    return record


def go_on(directory: Path, about: dict[str, Any], record: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Write config.json and run.json of a run that goes on after that step; return the content of run.json.

    record: The content of run.json so far. about: As for `begin`.
    """
    renewed = {**_without_error(record), "status": "running", "resumed": [*record.get("resumed", []), step]}
    write_json(directory / archive.CONFIG_FILE, about["config"])
    write_json(directory / archive.RUN_FILE, renewed)
    return renewed


def wait(directory: Path) -> None:
    """Record in run.json of a run that did not end that it is to go on."""
    record = json.loads((directory / archive.RUN_FILE).read_text())
    write_json(directory / archive.RUN_FILE, _without_error(record) | {"status": "pending"})


def _without_error(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run without what `fail` wrote into it."""
    return {key: value for key, value in record.items() if key not in ("error", "again")}


def end(
    directory: Path,
    record: dict[str, Any],
    status: str,
    steps: int,
    seconds: float,
    rollbacks: int = 0,
    results: Sequence[Path] = (),
) -> None:
    """Write run.json of a run that has ended.

    Args:
        directory: The run directory.
        record: What `begin` returned.
        status: One of `archive.STATUSES`.
        steps: Taken so far.
        seconds: That they took.
        rollbacks: How often steps were taken again because a loss was no number.
        results: The files that the run made; their hashes are recorded.
    """
    ending = {"status": status, "steps": steps, "seconds": round(seconds, 3), "peak_bytes": machine.peak_memory()}
    ending["rollbacks"] = rollbacks
    ending["results"] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in results}
    write_json(directory / archive.RUN_FILE, {**record, **ending})


def fail(directory: Path, error: str, again: bool) -> None:
    """Record in run.json that the run failed, and why. again: whether another try may succeed."""
    _amend(directory, {"status": "failed", "error": error, "again": again})


def interrupt(directory: Path) -> None:
    """Record in run.json that the run was interrupted."""
    _amend(directory, {"status": "interrupted"})


def _amend(directory: Path, changes: dict[str, Any]) -> None:
    record = json.loads((directory / archive.RUN_FILE).read_text())
    write_json(directory / archive.RUN_FILE, record | changes)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys."""
    atomic.write(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def rows(before: list[dict[str, Any]], step: int, metrics: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl for the newest steps.

    Args:
        before: The lines of all earlier steps.
        step: The number of the last of the newest steps.
        metrics: Arrays [steps, count] by name, and under "terms" a mapping of such arrays. The lines hold plain numbers
            if count is 1, and else lists.
        seconds: The time that the newest steps took together.
    """
    steps = len(metrics["loss"])
    begin = before[-1]["seconds"] if before else 0.0
    lines = []
    for i in range(steps):
        values = {column: _plain(metrics[column][i]) for column in COLUMNS}
        values["terms"] = {term: _plain(term_values[i]) for term, term_values in metrics["terms"].items()}
        seconds_so_far = round(begin + seconds * (i + 1) / steps, 4)
        lines.append({"step": step - steps + 1 + i, "seconds": seconds_so_far, **values})
    return lines


def _plain(values: np.ndarray) -> Any:
    return values.item() if values.size == 1 else values.tolist()


def write_metrics(directory: Path, lines: list[dict[str, Any]]) -> None:
    """Write metrics.jsonl with these lines."""
    atomic.write(directory / archive.METRICS_FILE, "".join(json.dumps(line) + "\n" for line in lines).encode())


def write_progress(directory: Path, step: int, stack: np.ndarray) -> None:
    """Write the pictures of a step, [n, h, w, 3], into the folder of progress pictures."""
    folder = directory / archive.PROGRESS_FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    for i, image in enumerate(stack):
        images.save(folder / f"I{step:04d}_F{i:04d}.png", image)


def write_results(directory: Path, stack: np.ndarray, output: configs.Config, about: dict[str, Any]) -> list[Path]:
    """Write the pictures that a run made, and return their paths.

    Args:
        directory: The run directory.
        stack: The pictures [n, h, w, 3 or 4]: image.png for one, image_0000.png, image_0001.png, ... for several.
        output: The config's group of that name, with the format and the bits per channel.
        about: What is embedded into every picture, as JSON.
    """
    text = {"texjax": json.dumps(about, sort_keys=True)}
    paths = [directory / f"{stem}.{output.format}" for stem in _numbered(archive.IMAGE_STEM, len(stack))]
    for path, image in zip(paths, stack, strict=True):
        images.save(path, image, bits=output.bits, text=text)
    return paths


def write_movies(directory: Path, stack: np.ndarray) -> list[Path]:
    """Write the frames of each output as movies, and return their paths; a single frame is no movie.

    Args:
        directory: The run directory.
        stack: The frames of all outputs, [count, frames, h, w, 3].
    """
    if stack.shape[1] == 1:
        return []
    stems = _numbered(archive.ANIMATION_STEM, len(stack))
    return [path for stem, frames in zip(stems, stack, strict=True) for path in movies.save(directory / stem, frames)]


def _numbered(stem: str, count: int) -> list[str]:
    """Return names of `count` files without their extensions; a single file has no number."""
    return [stem] if count == 1 else [f"{stem}_{i:04d}" for i in range(count)]


def write_curve(directory: Path, lines: list[dict[str, Any]]) -> None:
    """Draw the loss and its terms over the steps into loss.png."""
    buffer = io.BytesIO()
    curves.figure(lines).savefig(buffer, format="png", dpi=120)
    atomic.write(directory / archive.CURVE_FILE, buffer.getvalue())
