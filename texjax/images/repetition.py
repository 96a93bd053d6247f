"""How much of a texture repeats at equal distances, as checkerboards, weaves and tiled floors do."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from texjax.images import colors, files, light

LONGEST_SIDE = 512  # of the picture that is looked at; larger ones are reduced
SHORTEST = 4.0  # pixels; shorter periods are detail of the pixels' own size
OVERLAP = 0.25  # of the picture that a lag leaves for comparison, at least
ERRORS = 2  # standard errors that a correlation has to be above chance
STEPS = 8  # between no shift and the first period, where the correlation has to fall in between
NEAR = 0.15  # of a lag, to each side, that a looser lattice may differ by


class Repetition(NamedTuple):
    """share: of the variance that repeats. lag: (down, right) in pixels of the picture, of the strongest repetition."""

    share: float
    lag: tuple[float, float]


def strongest(image: Float[np.ndarray, "_ _ c"], near: tuple[float, float] | None = None) -> Repetition:
    """Return how much of a picture repeats after a lag, for the lag l with the largest share.

    The share is min(r(l) - 2 e(l), r(2 l) - 2 e(2 l)) - max(0, min_{0 < t < 1} r(t l)), or 0 if that is negative. r is
    the normalized autocorrelation of luminance without its fitted bend, with each lag as a mean over the n(l) pixels
    that both exist, and e its standard error, see `_error`. Two periods agree in a lattice, which chance seldom does,
    and between them the correlation falls, which it does not along a stripe. A lattice of equal pieces has 0.7 or more,
    one of pieces that differ 0.1 to 0.3, and photographs of irregular textures have less than 0.05.

    Lags leave a quarter of the picture at 2 l, so that a picture has to show its period about three times.

    Args:
        image: [h, w, c], sRGB in [0, 1].
        near: a lag (down, right) in pixels to stay within 15 % of; None for all lags.

    Returns:
        The share and the lag; 0 where a side has less than 4 px.
    """
    height, width = image.shape[:2]
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    small = np.asarray(files.resize(image, scale=factor) if factor < 1 else image, np.float32)
    luminance = light.flatten(np.broadcast_to(small, (*small.shape[:2], 3)), "bend") @ np.array(colors.LUMINANCE)
    if min(luminance.shape) < SHORTEST:
        return Repetition(0.0, (0.0, 0.0))
    down, right = _lags(luminance.shape)
    shares = _shares(luminance - luminance.mean(), down, right)
    shares[np.hypot(down, right) < SHORTEST] = 0
    if near is not None:
        y, x = (factor * side for side in near)
        distances = np.minimum(np.hypot(down - y, right - x), np.hypot(down + y, right + x))
        shares[distances > max(2.0, NEAR * np.hypot(y, x))] = 0
    place = np.unravel_index(shares.argmax(), shares.shape)
    return Repetition(float(shares[place]), (float(down[place]) / factor, float(right[place]) / factor))


def _lags(shape: tuple[int, ...]) -> tuple[Int[np.ndarray, "i j"], Int[np.ndarray, "i j"]]:
    """Lags (down, right) of half of the plane; the other half has the same correlations."""
    height, width = (side // 2 for side in shape)
    down, right = np.meshgrid(np.arange(height), np.arange(-width + 1, width), indexing="ij")
    return down, right


def _shares(
    luminance: Float[np.ndarray, "h w"], down: Int[np.ndarray, "i j"], right: Int[np.ndarray, "i j"]
) -> Float[np.ndarray, "i j"]:
    height, width = luminance.shape
    padded = (2 * height, 2 * width)
    sums = np.fft.irfft2(np.abs(np.fft.rfft2(luminance, padded)) ** 2, padded)
    lags = [np.fft.fftfreq(2 * side, 1 / (2 * side)) for side in luminance.shape]
    rows, columns = (np.maximum(side - np.abs(of_axis), 0) for side, of_axis in zip((height, width), lags, strict=True))
    pixels = rows[:, None] * columns[None]
    enough = pixels >= OVERLAP * luminance.size
    variance = max(sums[0, 0] / luminance.size, (1 / 255) ** 2 / 12)  # of rounding to 8 bits, for flat pictures
    correlation = np.where(enough, sums / np.maximum(pixels, 1), 0) / variance
    error = _error(correlation, np.hypot(lags[0][:, None], lags[1][None]), pixels, enough)

    def at(values: Float[np.ndarray, "_ _"], times: int | float) -> Float[np.ndarray, "i j"]:
        return values[np.rint(times * down).astype(int), np.rint(times * right).astype(int)]

    between = np.minimum.reduce([at(correlation, step / STEPS) for step in range(1, STEPS)])
    sure = correlation - ERRORS * error
    return np.maximum(np.minimum(at(sure, 1), at(sure, 2)) - np.maximum(between, 0), 0)


def _error(
    correlation: Float[np.ndarray, "_ _"],
    distance: Float[np.ndarray, "_ _"],
    pixels: Float[np.ndarray, "_ _"],
    enough: Bool[np.ndarray, "_ _"],
) -> Float[np.ndarray, "_ _"]:
    """The standard error of each lag's correlation if the texture does not repeat: sqrt(sum r^2 / n), of Bartlett 1946.

    The sum is over the lags around 0, up to the distance at which the mean of r over all directions first falls to 0.
    """
    rings = np.rint(distance).astype(int)
    sums = np.bincount(rings[enough], correlation[enough])
    low = np.flatnonzero(sums <= 0)
    near = enough & (rings < (low[0] if len(low) else len(sums)))
    return np.sqrt((correlation[near] ** 2).sum() / np.maximum(pixels, 1))
