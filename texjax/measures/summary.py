"""All measures together, and what to read from them."""

from collections.abc import Sequence

import numpy as np

from texjax import types
from texjax.measures import arrays, displacement, grams, pixels, spectra, subbands

SMALLEST = 56  # pixels; a smaller side has no wavelet coefficient of the third scale without a border in it

MEANINGS = {
    "gram_error": "lower is better, 0: the same Gram matrices; mean of the layers",
    "wavelet_kl": "lower is better, 0: the same distributions of detail",
    "displacement_score": "near 0: copied verbatim, above 0.6: made anew",
    "color_distance": "lower is better, 0: the same colors",
    "seam": "1: repeats without a seam",
    "bands": "lower is better, 0: the same contrast at all scales",
    "axial": "near 0 is best, above: a weave along rows and columns",
}


def measure_all(
    result: arrays.Picture,
    sources: Sequence[arrays.Picture],
    extractor: types.Extractor | None = None,
    layers: Sequence[str] = (),
    octaves: int = 1,
    padding: str = "valid",
) -> dict[str, float]:
    """Name -> value of every measure, in the order of `MEANINGS`; sides of at least `SMALLEST` pixels.

    With an extractor also "gram_error", the mean over the layers and octaves, followed by "gram_error LAYER" of each.
    """
    found = {}
    if extractor is not None:
        errors = grams.gram_errors(extractor, result, sources, layers, octaves, padding)
        found = {"gram_error": float(np.mean(list(errors.values())))}
        found |= {f"gram_error {layer}": value for layer, value in errors.items()}
    return found | {
        "wavelet_kl": subbands.wavelet_kl(result, sources),
        "displacement_score": displacement.displacement_score(result, sources),
        "color_distance": pixels.color_distance(result, sources),
        "seam": pixels.seam(result),
        "bands": subbands.bands(result, sources),
        "axial": spectra.axial(result, sources),
    }
