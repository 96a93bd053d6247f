"""Measure how close a result comes to its sources. Each measure sees differences that the others miss.

Images are NumPy arrays [h, w, 3], sRGB in [0, 1]; a result and its sources may differ in size.
"""

from texjax.measures.displacement import displacement_score
from texjax.measures.grams import fitting_octaves, gram_errors
from texjax.measures.lattices import periodicity
from texjax.measures.pixels import color_distance, seam
from texjax.measures.spectra import axial
from texjax.measures.subbands import bands, wavelet_kl
from texjax.measures.summary import MEANINGS, SMALLEST, check_sizes, largest_octaves, measure_all

__all__ = [
    "MEANINGS",
    "SMALLEST",
    "axial",
    "bands",
    "check_sizes",
    "color_distance",
    "displacement_score",
    "fitting_octaves",
    "gram_errors",
    "largest_octaves",
    "measure_all",
    "periodicity",
    "seam",
    "wavelet_kl",
]
