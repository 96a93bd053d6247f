"""Compute all measures at once, and explain how to read them."""

from collections.abc import Mapping, Sequence

import numpy as np

from texjax import errors, types
from texjax.measures import arrays, displacement, grams, lattices, pixels, spectra, subbands

SMALLEST = 56  # pixels; on a shorter side every wavelet coefficient of the third scale depends on a border

MEANINGS = {  # one line of help for each measure
    "gram_error": "lower is better, 0: the same Gram matrices; mean of the layers",
    "wavelet_kl": "lower is better, 0: the same distributions of detail",
    "displacement_score": "near 0: copied verbatim, above 0.6: newly synthesized",
    "color_distance": "lower is better, 0: the same colors",
    "seam": "1: tiles without a visible seam, higher: a visible edge",
    "bands": "lower is better, 0: the same contrast at all scales",
    "axial": "near 0 is best, above 0: a weave along rows and columns",
    "periodicity": "near 0 is best, above 0: repeats less strictly than the source",
}


def check_sizes(images: Mapping[str, arrays.Image]) -> None:
    """Raise TexjaxError for an image with a side of less than `SMALLEST` pixels. images: by name, for the error."""
    for name, image in images.items():
        height, width = image.shape[:2]
        if min(height, width) < SMALLEST:
            raise errors.TexjaxError(
                f"{name} is {width} x {height} px, but the measures need {SMALLEST} px on each side; give a "
                f"larger picture."
            )


def largest_octaves(
    extractor: types.Extractor, images: Sequence[arrays.Image], *, layers: Sequence[str], octaves: int
) -> int:
    """Return the number of octaves, at most `octaves`, at which every image has room for every layer.

    Raises TexjaxError where not even one octave fits, and for an unknown layer.
    """
    sides = [side for image in images for side in image.shape[:2]]
    fitting = grams.fitting_octaves(extractor, sides, layers=layers, octaves=octaves)
    if not fitting:
        raise errors.TexjaxError(
            f"a side of {min(sides)} px is too small for the layers {', '.join(layers)}; give larger pictures, or "
            "shallower layers."
        )
    return fitting


def measure_all(
    result: arrays.Image,
    sources: Sequence[arrays.Image],
    *,
    extractor: types.Extractor | None = None,
    layers: Sequence[str] = (),
    octaves: int = 1,
    padding: str = "valid",
) -> dict[str, float]:
    """Return the values of all measures by name, in the order of `MEANINGS`.

    Args:
        result: The image that is measured, with sides of at least `SMALLEST` pixels.
        sources: The images that it is compared with, with sides of at least `SMALLEST` pixels.
        extractor: Adds "gram_error", the mean over layers and octaves, and "gram_error LAYER" of each layer.
        layers: Layers of the Gram errors, see `gram_errors`.
        octaves: Number of octaves of the Gram errors.
        padding: Padding of the pyramid of the Gram errors.
    """
    values = {}
    if extractor is not None:
        gram_errors = grams.gram_errors(extractor, result, sources, layers=layers, octaves=octaves, padding=padding)
        values = {"gram_error": float(np.mean(list(gram_errors.values())))}
        values |= {f"gram_error {layer}": error for layer, error in gram_errors.items()}
    return values | {
        "wavelet_kl": subbands.wavelet_kl(result, sources),
        "displacement_score": displacement.displacement_score(result, sources),
        "color_distance": pixels.color_distance(result, sources),
        "seam": pixels.seam(result),
        "bands": subbands.bands(result, sources),
        "axial": spectra.axial(result, sources),
        "periodicity": lattices.periodicity(result, sources),
    }
