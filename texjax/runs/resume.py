"""Go on with a run that a run directory records: read it, and refuse what is not the same run any more."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from texjax import checks, errors, settings
from texjax import config as configs
from texjax.runs import archive
from texjax.synthesis import loop

# Keys that may change while a run is interrupted: they say how often it writes, and how much memory it may take.
FREE = ("checkpoint_every", "checkpoint_steps", "memory_budget")


class Begun(NamedTuple):
    """A run to go on with.

    directory: of the run. config: of the run, with the added steps. paths: of its pictures by group. record: run.json.
    """

    directory: Path
    config: configs.Config
    paths: dict[str, list[Path]]
    record: dict[str, Any]


def begun(directory: Path, extend: int = 0) -> Begun:
    """Read the run that a directory records.

    Args:
        directory: Of the run.
        extend: Steps to add at full size.

    Raises:
        TexjaxError: If there is no run, if its records cannot be used, or if it has ended and is not extended.
    """
    if not (directory / archive.RUN_FILE).exists():
        raise errors.TexjaxError(f"{directory} holds no run; give the directory of a run, which has a run.json.")
    run = archive.read(directory, {})
    if run.status in archive.ENDED and not extend:
        raise errors.TexjaxError(
            f"the run in {directory} has ended ({run.status}, after {run.record.get('steps')} steps); --extend N adds "
            "N steps to it."
        )
    try:
        config = config_of_json(run.config)
        config = configs.overridden(config, {"max_iter": config.max_iter + extend})
        paths = {group: archive.picture_paths(run.record, group) for group in (*configs.GROUPS, configs.PHOTOS)}
        if not paths["sources"]:
            raise ValueError("run.json names no source")
    except Exception as error:  # a file that somebody changed may lack any key
        text = " ".join(str(error).split())[:300]
        raise errors.TexjaxError(
            f"the records in {directory} are not those of a run of this version ({type(error).__name__}: {text}); "
            "begin a new run."
        ) from error
    return Begun(directory, config, {group: files for group, files in paths.items() if files}, run.record)


def check_config(run: Begun, config: configs.Config) -> None:
    """Raise TexjaxError if a run has another config than a command that is to go on with it; name the keys."""
    then, now = (archive.flat(_without_free(part.to_dict())) for part in (run.config, config))
    changes = [
        f"{key} is {now.get(key, 'missing')} and was {then.get(key, 'missing')}"
        for key in sorted(then.keys() | now.keys())
        if then.get(key) != now.get(key)
    ]
    if changes:
        raise errors.TexjaxError(
            f"the run in {run.directory} has another config ({'; '.join(changes)}); give the same one, or another "
            "--run-dir."
        )


def check_digests(run: Begun, about: Mapping[str, Any]) -> None:
    """Raise TexjaxError if a picture or the weights are not those that the run began with.

    about: The hashes of now, as `records.begin` gets them.
    """
    for key, now in about.items():
        if key != "config" and run.record.get(key) != now:
            others = {"weights_sha256": "the weights of the network", "photos_sha256": "the folder of photographs"}
            what = others.get(key, f"the group of pictures '{key}'")
            raise errors.TexjaxError(
                f"{what} changed since the run in {run.directory} began ({_digests(run.record.get(key))} then, "
                f"{_digests(now)} now); restore the files, or begin a new run."
            )


def settled(run: Begun, config: configs.Config) -> configs.Config:
    """Return the config with the tile, history and backend that the run began with, whatever would be chosen now."""
    changes = {"tile": run.record.get("tile", config.tile)}
    if "history_size" in config.optimizer:
        changes["optimizer.history_size"] = run.record.get("history_size", config.optimizer.history_size)
    if "backend" in config.features:
        changes["features.backend"] = run.record.get("backend", config.features.backend)
    return configs.overridden(config, changes)


def check_versions(run: Begun, versions: Mapping[str, str]) -> None:
    """Warn where the software is not that of the run's beginning, so that the picture may be another one."""
    then = run.record.get("versions", {})
    changes = [
        f"{name} {then[name]}, now {now}" for name, now in versions.items() if name in then and then[name] != now
    ]
    if changes:
        warnings.warn(
            f"the run in {run.directory} began with {'; '.join(changes)}: its picture may differ from that of a run "
            "without a break.",
            errors.TexjaxWarning,
            stacklevel=2,
        )


def lines(run: Begun, first: loop.Iterate) -> list[dict[str, Any]]:
    """Return the lines of the run's metrics up to the iterate that it goes on from; none where it begins anew."""
    if np.isnan(first.loss):
        return []
    return [line for line in archive.metrics(run.directory) if line["step"] <= first.step]


def config_of_json(content: dict[str, Any]) -> configs.Config:
    """Return a config that was read from JSON, which has no tuples, as the locked config that was written."""
    config = ConfigDict(_tuples(content))
    settings.complete(config)
    checks.values(config)
    return config.lock()


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _without_free(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in FREE}


def _digests(entry: Any) -> str:
    """Hashes in short, with the names of files where they have some."""
    if isinstance(entry, list):
        return ", ".join(f"{line['name']} {line['sha256'][:12]}" for line in entry if isinstance(line, dict))
    return str(entry)[:12]
