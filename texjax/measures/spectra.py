"""Measure the weave of horizontal and vertical lines that pooling and coarse scales leave in a result."""

from collections.abc import Sequence

import numpy as np

from texjax.measures import arrays

BAND = (0.3, 0.5)  # radial frequencies, in cycles per pixel
NEAR, FAR = 10, 25  # degrees from the nearest axis


def axial(result: arrays.Image, sources: Sequence[arrays.Image]) -> float:
    """Return how much more of the fine detail lies along rows and columns than in the sources, in nats.

    a = log(mean power within 10 degrees of an axis / mean power more than 25 degrees from both axes) is taken of the
    power spectrum of the luminance (r + g + b) / 3, without its mean and under a Hann window, at radial frequencies
    from 0.3 to 0.5 cycles per pixel. The measure is a(result) minus the mean of a over the sources. It is our own, for
    artifacts such as those of Odena et al. (2016, doi 10.23915/distill.00003).

    0 is best. Positive values mean a weave or checkerboard of horizontal and vertical lines, negative values one
    of diagonals.
    """
    return float(_log_ratio(result) - np.mean([_log_ratio(source) for source in sources]))


def _log_ratio(image: arrays.Image) -> float:
    height, width = image.shape[:2]
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    luminance = image.mean(-1, dtype=np.float64)
    power = np.abs(np.fft.fft2(window * (luminance - luminance.mean()))) ** 2 / (window**2).sum()
    y, x = np.abs(np.fft.fftfreq(height))[:, None], np.abs(np.fft.fftfreq(width))[None]
    degrees = np.degrees(np.arctan2(np.minimum(y, x), np.maximum(y, x)))  # from the nearest axis
    radius = np.hypot(y, x)
    in_band = (radius >= BAND[0]) & (radius <= BAND[1])
    near, far = (power[in_band & in_sector].mean() for in_sector in (degrees <= NEAR, degrees >= FAR))
    # Rounding to 8 bits has this power at every frequency, and it keeps the ratio finite for flat images.
    return float(np.log((near + arrays.ROUNDING**2) / (far + arrays.ROUNDING**2)))
