"""How large the features of a texture are, in pixels, from the spectrum of its picture."""

import numpy as np
from jaxtyping import Float

from texjax.images import colors, files, light

SHARE = 0.1  # of the variance, above the wavelength that is the size of the largest features
LONGEST_SIDE = 2048  # of the picture whose spectrum is taken; a period of 6 px in 6000 is still one of 2 px there
FLAT = 1e-6  # variance of the luminance below which a picture has no features


def largest(image: Float[np.ndarray, "_ _ 3"]) -> float:
    """Return the wavelength in pixels above which a tenth of the variance of luminance lies.

    The variance is that of a picture from which the fitted plane has been taken off, under a Hann window. Waves longer
    than half of the shorter side count as uneven light, because the picture does not show two of them. A picture twice
    as large has features twice as large.

    The first strong peak of the autocorrelation would be another measure. It found a peak in 8 of 22 drawings and
    photographs only, and in drawn gratings it took the grid of the pixels for one.

    Args:
        image: [h, w, 3], sRGB in [0, 1].

    Returns:
        The wavelength; 2.0, the shortest that pixels can show, where the picture is flat or a side has less than 4 px.
    """
    height, width = image.shape[:2]
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    small = files.resize(image, scale=factor) if factor < 1 else image
    luminance = light.flatten(np.asarray(small, np.float32), "plane") @ np.array(colors.LUMINANCE, np.float32)
    if min(luminance.shape) < 4 or luminance.var() < FLAT:
        return 2.0
    frequencies, power = _spectrum(luminance)
    shown = frequencies >= 2 / min(luminance.shape)
    frequencies, power = frequencies[shown], power[shown]
    order = np.argsort(frequencies)
    variance = np.cumsum(power[order])
    return max(2.0, 1 / (factor * float(frequencies[order][np.searchsorted(variance, SHARE * variance[-1])])))


def _spectrum(luminance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return radial frequencies in cycles per pixel and the power there, both flat, of half of the plane."""
    height, width = luminance.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    centered = window * (luminance - (window * luminance).sum() / window.sum())
    power = np.abs(np.fft.rfft2(centered)) ** 2
    power[:, 1 : (width + 1) // 2] *= 2  # the other half of the plane, without its own axis
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return frequencies.ravel(), power.ravel()
