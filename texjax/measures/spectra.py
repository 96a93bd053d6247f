"""The weave that pooling and coarse scales leave along rows and columns."""

from collections.abc import Sequence

import numpy as np

from texjax.measures import arrays

BAND = (0.3, 0.5)  # cycles per pixel
NEAR, FAR = 10, 25  # degrees from the next axis


def axial(result: arrays.Picture, sources: Sequence[arrays.Picture]) -> float:
    """How much more fine detail lies along rows and columns than in the sources, in nats.

    a = log(mean power within 10 degrees of the axes / mean power beyond 25 degrees from both), in the power spectrum of
    the luminance (r + g + b) / 3, mean removed, Hann window, at radial frequencies from 0.3 to 0.5 cycles per pixel;
    a(result) minus the mean a of the sources. Our own measure, of such artifacts as Odena et al. show (2016, doi
    10.23915/distill.00003).

    0 is best; above 0 is a weave or checkerboard of horizontal and vertical lines, below 0 one of diagonals.
    """
    return float(_ratio(result) - np.mean([_ratio(source) for source in sources]))


def _ratio(picture: arrays.Picture) -> float:
    h, w = picture.shape[:2]
    window = np.hanning(h)[:, None] * np.hanning(w)[None]
    luminance = picture.mean(-1, dtype=np.float64)
    power = np.abs(np.fft.fft2(window * (luminance - luminance.mean()))) ** 2 / (window**2).sum()
    y, x = np.abs(np.fft.fftfreq(h))[:, None], np.abs(np.fft.fftfreq(w))[None]
    degrees = np.degrees(np.arctan2(np.minimum(y, x), np.maximum(y, x)))
    radius = np.hypot(y, x)
    band = (radius >= BAND[0]) & (radius <= BAND[1])
    near, far = (power[band & which].mean() for which in (degrees <= NEAR, degrees >= FAR))
    # The rounding to 8 bits has this power at every frequency.
    return float(np.log((near + arrays.ROUNDING**2) / (far + arrays.ROUNDING**2)))
