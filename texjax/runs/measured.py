"""The measures of a run's pictures against its sources."""

import json
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import numpy as np

from texjax import atomic, images, measures, types
from texjax.runs import archive, inputs


def of_run(run: archive.Run) -> dict[str, float]:
    """Name -> value of the measures that need no network, means over the outputs; of an animation its first frame.

    What measures.json in the run directory holds is not measured again, unless a picture is younger. Sources are
    resized as the run resized them. {} where there is no picture or source, and where a side is below
    `measures.SMALLEST`.

    Raises TexjaxError where a picture cannot be read, and EnvironmentFault where measures.json cannot be written.
    """
    kept, names = archive.measures(run.directory), measures.MEANINGS.keys() - {"gram_error"}
    if names <= kept.keys() and _fresh(run.directory):
        return {name: kept[name] for name in kept if name in names}
    results, sources = _loaded(run)
    if not results or not sources or _smallest(results, sources) < measures.SMALLEST:
        return {}
    found = _means([measures.measure_all(image, sources) for image in results])
    atomic.write(run.directory / "measures.json", (json.dumps(found, indent=2) + "\n").encode())
    return found


def gram_errors(run: archive.Run, extractor: types.Extractor, layers: Sequence[str], octaves: int) -> dict[str, float]:
    """Gram error of each layer, "gram_error LAYER", and their mean, "gram_error"; not kept. {} where no octave fits.

    octaves: at most, as many as fit.
    """
    results, sources = _loaded(run)
    sides = [n for image in (*results, *sources) for n in image.shape[:2]]
    octaves = measures.fitting_octaves(extractor, sides, layers, octaves) if results and sources else 0
    if not octaves:
        return {}
    errors = _means([measures.gram_errors(extractor, image, sources, layers, octaves) for image in results])
    mean = float(np.mean(list(errors.values())))
    return {"gram_error": mean} | {f"gram_error {layer}": value for layer, value in errors.items()}


def _loaded(run: archive.Run) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The run's outputs, of an animation the first frame, and its sources."""
    results = archive.pictures(run.directory)[:: run.config.get("frames", 1)]
    paths = [Path(path) for path in run.record.get("source_paths", ())]
    if not results or not paths:
        return [], []
    return [images.load(path) for path in results], inputs.load(ml_collections.ConfigDict(run.config), paths)


def _means(each: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([values[name] for values in each])) for name in each[0]}


def _smallest(*groups: Sequence[np.ndarray]) -> int:
    return min(side for group in groups for image in group for side in image.shape[:2])


def _fresh(directory: Path) -> bool:
    """Whether measures.json is as young as the pictures."""
    written = (directory / "measures.json").stat().st_mtime_ns
    return all(written >= picture.stat().st_mtime_ns for picture in archive.pictures(directory))
