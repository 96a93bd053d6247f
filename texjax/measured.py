"""The measures of a run's pictures against its sources, kept in the run directory's measures.json."""

import json
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import numpy as np

from texjax import archive, atomic, images, measures, pictures, types


def of_run(
    run: archive.Run, extractor: types.Extractor | None = None, layers: Sequence[str] = (), octaves: int = 1
) -> dict[str, float]:
    """Name -> value of `measures.measure_all`, the mean over the run's outputs; of an animation its first frame.

    What measures.json holds is not computed again, unless a picture is younger. It is kept by name only: to measure
    with another network or other octaves, remove the file. Sources are resized as the run resized them. Returns what
    was kept, mostly {}, where there is no picture or source, and where a side is below `measures.SMALLEST`.

    Raises TexjaxError where a picture cannot be read, and EnvironmentFault where measures.json cannot be written.
    """
    results = archive.pictures(run.directory)[:: run.config.get("frames", 1)]
    paths = [Path(path) for path in run.record.get("source_paths", ())]
    kept = archive.measures(run.directory) if _fresh(run.directory, results) else {}
    if wanted(extractor is not None, layers) <= set(kept) or not results or not paths:
        return kept
    shown = [images.load(path) for path in results]
    sources = pictures.load(ml_collections.ConfigDict(run.config), paths)
    if min(side for image in (*shown, *sources) for side in image.shape[:2]) < measures.SMALLEST:
        return kept
    each = [measures.measure_all(image, sources, extractor, layers, octaves) for image in shown]
    found = kept | {name: float(np.mean([values[name] for values in each])) for name in each[0]}
    atomic.write(run.directory / "measures.json", (json.dumps(found, indent=2) + "\n").encode())
    return found


def wanted(grams: bool, layers: Sequence[str]) -> set[str]:
    """The names that `measures.measure_all` gives, with or without an extractor."""
    names = set(measures.MEANINGS) - {"gram_error"}
    return names | {"gram_error", *(f"gram_error {layer}" for layer in layers)} if grams else names


def _fresh(directory: Path, results: Sequence[Path]) -> bool:
    """Whether measures.json is as young as the pictures; false where there is none."""
    path = directory / "measures.json"
    return path.exists() and all(path.stat().st_mtime_ns >= result.stat().st_mtime_ns for result in results)
