"""How near a result comes to its sources, in numbers. Each measure looks at what another one does not see."""

from texjax.measures.displacement import displacement_score
from texjax.measures.grams import fitting_octaves, gram_errors
from texjax.measures.pixels import color_distance, seam
from texjax.measures.spectra import axial
from texjax.measures.subbands import bands, wavelet_kl
from texjax.measures.summary import MEANINGS, SMALLEST, measure_all

__all__ = [
    "MEANINGS",
    "SMALLEST",
    "axial",
    "bands",
    "color_distance",
    "displacement_score",
    "fitting_octaves",
    "gram_errors",
    "measure_all",
    "seam",
    "wavelet_kl",
]
