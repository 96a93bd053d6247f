"""A run directory: what was asked, with what it ran, how it went, and the pictures. Every file is written atomically.

config.json      the resolved config
run.json         command, versions, devices, hashes of weights and sources, seed, how and when it ended
metrics.jsonl    one line per step: loss, its terms, gradient norm, evaluations, range, seconds
loss.png         the loss over the steps
progress/        I0010_F0000.png: step 10, picture 0
image.png        the result; image_0000.png and on for several outputs or frames, an output's frames in a row
animation.webp   its frames, playing, where there are several; also .gif and, with ffmpeg, .mp4; animation_0000.webp and
                 on for several outputs
"""

import importlib.metadata
import io
import json
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from texjax import atomic, errors, images
from texjax import config as configs
from texjax.images import movies

PACKAGES = ("texjax", "jax", "jaxlib", "flax", "jaxopt", "optax", "numpy")
COLUMNS = ("loss", "gradient", "evaluations", "failed", "low", "high")


def name(prefix: str, layers: Sequence[str], config: configs.Config) -> str:
    """A run directory's name, much as subjective-functions forms it.

    prefix.Llayers.ooctaves[.w][.c][.f][.m][.j][.ifs][.ifo].WIDTHxHEIGHT, with c outputs of f frames.
    """
    if not prefix or "/" in prefix or prefix.startswith("."):
        raise errors.TexjaxError(f"--output-prefix is '{prefix}'; give a name without slash that starts with no dot.")
    parts = [prefix, f"L{','.join(layers)}", f"o{config.octaves}"]
    if config.source.scale:
        parts.append(f"w{config.source.scale:.2}")
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
    """Make and return the directory `base` in `parent`, or `base`.0, `base`.1, ... where that exists."""
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
    """Make `path` the run directory; raises TexjaxError where it holds a run already, so that no result is lost."""
    if (path / "run.json").exists():
        raise errors.TexjaxError(f"{path} holds a run already; remove it or give another --run-dir.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(path: Path, error: OSError) -> errors.EnvironmentFault:
    return errors.EnvironmentFault(f"cannot make the directory {path} ({error.strerror}); choose another place.")


def claim(directory: Path, config: dict[str, Any], command: str) -> None:
    """Make the directory of a run that is about to start, so that it shows where a process dies at once."""
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "config.json", config)
    write_json(directory / "run.json", {"status": "running", "command": command})


def begin(directory: Path, about: dict[str, Any], names: Mapping[str, Sequence[Path]], command: str) -> dict[str, Any]:
    """Write config.json and run.json of a run that starts now; return what run.json holds.

    about: as embedded. names: paths of the groups of pictures. command: that makes the run.
    """
    record = {key: value for key, value in about.items() if key != "config"} | {
        "command": command or shlex.join(sys.argv),
        **{f"{of.removesuffix('s')}_paths": [str(path.absolute()) for path in names[of]] for of in names},
        "seed": about["config"]["seed"],
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "status": "running",
        **environment(),
    }
    write_json(directory / "config.json", about["config"])
    write_json(directory / "run.json", record)
    return record


def end(directory: Path, record: dict[str, Any], status: str, steps: int, seconds: float) -> None:
    """Write run.json of a run that has ended."""
    about = {"status": status, "steps": steps, "seconds": round(seconds, 3), "peak_bytes": peak_memory()}
    write_json(directory / "run.json", {**record, **about})


def fail(directory: Path, error: str, again: bool) -> None:
    """Write into run.json that the run failed, and why. again: whether it may do better another time."""
    _amend(directory, {"status": "failed", "error": error, "again": again})


def interrupt(directory: Path) -> None:
    """Write into run.json that the run was interrupted."""
    _amend(directory, {"status": "interrupted"})


def _amend(directory: Path, changes: dict[str, Any]) -> None:
    record = json.loads((directory / "run.json").read_text())
    write_json(directory / "run.json", record | changes)


def environment() -> dict[str, Any]:
    """Versions and devices, for run.json."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(),
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
    }


def peak_memory() -> int:
    """Most bytes in use so far: of the accelerator where there is one, else of this process."""
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    import resource  # not on every platform

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, keys sorted."""
    atomic.write(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def rows(before: list[dict[str, Any]], step: int, metrics: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl for the last steps, up to `step`, to follow those of `before`.

    metrics: arrays [steps, count]; one output gives plain numbers, several give lists. seconds: that these steps took.
    """
    steps = len(metrics["loss"])
    begin = before[-1]["seconds"] if before else 0.0
    out = []
    for i in range(steps):
        row = {key: _plain(metrics[key][i]) for key in COLUMNS}
        row["terms"] = {term: _plain(values[i]) for term, values in metrics["terms"].items()}
        so_far = round(begin + seconds * (i + 1) / steps, 4)
        out.append({"step": step - steps + 1 + i, "seconds": so_far, **row})
    return out


def _plain(values: np.ndarray) -> Any:
    return values.item() if values.size == 1 else values.tolist()


def write_metrics(directory: Path, lines: list[dict[str, Any]]) -> None:
    """Write metrics.jsonl, all lines."""
    atomic.write(directory / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())


def write_progress(directory: Path, step: int, stack: np.ndarray) -> None:
    """Write the pictures, [n, h, w, 3], into progress/."""
    try:
        (directory / "progress").mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(directory / "progress", error) from error
    for i, image in enumerate(stack):
        images.save(directory / "progress" / f"I{step:04d}_F{i:04d}.png", image)


def write_results(directory: Path, stack: np.ndarray, output: configs.Config, about: dict[str, Any]) -> list[Path]:
    """Write image.png, or image_0000.png and on for several, with `about` embedded as JSON; return the paths."""
    text = {"texjax": json.dumps(about, sort_keys=True)}
    names = ["image"] if len(stack) == 1 else [f"image_{i:04d}" for i in range(len(stack))]
    paths = [directory / f"{stem}.{output.format}" for stem in names]
    for path, image in zip(paths, stack, strict=True):
        images.save(path, image, bits=output.bits, text=text)
    return paths


def write_movies(directory: Path, stack: np.ndarray) -> list[Path]:
    """Write each output's frames, [count, frames, h, w, 3], as movies, where there are several; return the paths."""
    if stack.shape[1] == 1:
        return []
    names = ["animation"] if len(stack) == 1 else [f"animation_{i:04d}" for i in range(len(stack))]
    return [path for name, frames in zip(names, stack, strict=True) for path in movies.save(directory / name, frames)]


def write_curve(directory: Path, lines: list[dict[str, Any]]) -> None:
    """Draw the loss and its terms over the steps, logarithmically, into loss.png; one curve per output."""
    from matplotlib.figure import Figure  # slow to import, and needed once at the end

    figure = Figure(figsize=(6, 4), layout="constrained")
    # A loss of zero has no logarithm.
    scale = "log" if np.min([line["loss"] for line in lines]) > 0 else "linear"
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale=scale)
    steps = [line["step"] for line in lines]
    axes.plot(steps, [line["loss"] for line in lines], label="loss")
    if len(lines[0]["terms"]) > 1:
        for term in lines[0]["terms"]:
            axes.plot(steps, [line["terms"][term] for line in lines], linewidth=0.8, label=term)
        axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    atomic.write(directory / "loss.png", data.getvalue())
