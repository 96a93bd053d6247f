"""Measure the pictures that a run made against its sources."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import numpy as np

from texjax import atomic, errors, images, measures, types
from texjax import config as configs
from texjax.runs import archive, inputs

# Values of keys that runs of earlier versions lack: these neither reduced nor flattened their sources, and composited
# every picture.
EARLIER = {"max_fit": 0.0, "auto_width": False, "flatten": "none", "alpha": "over"}


def of_run(run: archive.Run) -> dict[str, float]:
    """Return the measures of a run that need no network, by name, and write them into measures.json.

    Values are means over the outputs; of an animation only the first frame is measured. Sources are resized as the run
    resized them. Measures that measures.json already holds are not computed again, unless a picture is newer than the
    file.

    Returns:
        Name -> value; {} if the run has no picture or no source, or a side is shorter than `measures.SMALLEST`.

    Raises:
        TexjaxError: If a picture cannot be read.
        EnvironmentFault: If measures.json cannot be written.
    """
    stored, names = archive.measures(run.directory), measures.MEANINGS.keys() - {"gram_error"}
    if names <= stored.keys() and _is_current(run.directory):
        return {name: value for name, value in stored.items() if name in names}
    outputs, sources = _load(run)
    if not outputs or not sources or _shortest_side(outputs, sources) < measures.SMALLEST:
        return {}
    values = _means([measures.measure_all(image, sources) for image in outputs])
    atomic.write(run.directory / archive.MEASURES_FILE, (json.dumps(values, indent=2) + "\n").encode())
    return values


def gram_errors(run: archive.Run, extractor: types.Extractor, layers: Sequence[str], octaves: int) -> dict[str, float]:
    """Return the Gram error of each layer, "gram_error LAYER", and their mean, "gram_error"; nothing is written.

    Args:
        run: The run whose outputs are measured.
        extractor: The network of the features.
        layers: Names of layers of the network.
        octaves: The largest number of octaves; fewer are used if fewer fit into the pictures.

    Returns:
        Name -> mean over the outputs; {} if no octave fits.
    """
    outputs, sources = _load(run)
    sides = [side for image in (*outputs, *sources) for side in image.shape[:2]]
    octaves = measures.fitting_octaves(extractor, sides, layers=layers, octaves=octaves) if outputs and sources else 0
    if not octaves:
        return {}
    values = _means(
        [measures.gram_errors(extractor, image, sources, layers=layers, octaves=octaves) for image in outputs]
    )
    mean = float(np.mean(list(values.values())))
    return {"gram_error": mean} | {f"gram_error {layer}": value for layer, value in values.items()}


def _load(run: archive.Run) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs (of an animation the first frame) and the sources; two empty lists if either is missing."""
    output_paths = archive.pictures(run.directory)[:: run.config.get("frames", 1)]
    source_paths = archive.picture_paths(run.record, "sources")
    if not output_paths or not source_paths:
        return [], []
    config: configs.Config = ml_collections.ConfigDict({**run.config, "source": {**EARLIER, **run.config["source"]}})
    config.output.channels = 3  # measures take color
    background = tuple(config.source.background)
    outputs = [images.load(path, background=background, alpha="over") for path in output_paths]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.TexjaxWarning)  # the run itself has given these
        sources = inputs.load(config, {"sources": source_paths})["sources"]
    return outputs, sources


def _means(values_of_outputs: Sequence[dict[str, float]]) -> dict[str, float]:
    names = values_of_outputs[0]
    return {name: float(np.mean([values[name] for values in values_of_outputs])) for name in names}


def _shortest_side(*groups: Sequence[np.ndarray]) -> int:
    return min(side for group in groups for image in group for side in image.shape[:2])


def _is_current(directory: Path) -> bool:
    """Return whether measures.json is at least as new as every picture."""
    written = (directory / archive.MEASURES_FILE).stat().st_mtime_ns
    return all(written >= picture.stat().st_mtime_ns for picture in archive.pictures(directory))
