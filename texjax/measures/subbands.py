"""Contrast and distribution of detail, per scale, orientation and color channel."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pywt
from jaxtyping import Float
from scipy import optimize, special

from texjax.measures import arrays

SCALES = 3
WAVELET = "db4"
SHAPES = (0.1, 10.0)  # from a spike with heavy tails (Gaussian: 2, Laplacian: 1) to nearly uniform

# Columns: luminance (r + g + b) / 3 and the opponent colors red-green r - g and yellow-blue (r + g) / 2 - b.
OPPONENTS = np.array([[1 / 3, 1, 1 / 2], [1 / 3, -1, 1 / 2], [1 / 3, 0, -1]])

Values = Float[np.ndarray, " n"]
Band = Float[np.ndarray, "_ _ c"]


class Law(NamedTuple):
    """A generalized Gaussian, p(x) = shape / (2 scale Gamma(1 / shape)) exp(-(|x| / scale)^shape)."""

    scale: float
    shape: float


def wavelet_kl(result: arrays.Picture, sources: Sequence[arrays.Picture]) -> float:
    """Divergence of the distributions of wavelet coefficients (Gonthier et al. 2022, arXiv 2008.01808), in nats.

    Daubechies' wavelet db4 (eight taps, mirrored borders), three scales; in each of the 27 subbands (scale, orientation
    and color channel) a generalized Gaussian is fitted to the coefficients by maximum likelihood, and KL(source ||
    result) has a closed form, see `divergence`. The mean over the subbands; the paper gives their sum, and fits the
    mean too, which is 0 here. Coefficients of several sources are pooled. The mirrored borders make the tails heavier,
    the more the smaller the picture: of Gaussian noise of 640 pixels, the divergence comes out a tenth too low.

    Lower is better, 0 where all fitted distributions agree. Sides below 56 pixels have no coefficient that sees no
    border, and PyWavelets warns.
    """
    laws = [[fit(values) for values in _coefficients(pictures)] for pictures in (sources, [result])]
    return float(np.mean([divergence(source, got) for source, got in zip(*laws, strict=True)]))


def _coefficients(pictures: Sequence[arrays.Picture]) -> Iterator[Values]:
    """The coefficients of each subband and channel, those of all pictures together."""
    details = [pywt.wavedec2(p, WAVELET, mode="symmetric", level=SCALES, axes=(0, 1))[1:] for p in pictures]
    for scale in range(SCALES):
        for orientation in range(3):
            flat = [d[scale][orientation].reshape(-1, 3) for d in details]
            yield from np.concatenate(flat).astype(np.float64).T


def fit(values: Values) -> Law:
    """The generalized Gaussian of mean 0 that is most likely (Do & Vetterli 2002, IEEE Trans. Image Proc. 11(2)).

    For a given shape b the best scale is a = (b mean |x|^b)^(1/b), and the mean log-likelihood is then
    log b - log(2 a) - log Gamma(1/b) - 1/b, which is maximized over b.
    """
    logs = np.log(np.maximum(np.abs(values), arrays.ROUNDING))

    def log_scale(shape: float) -> float:
        return float(np.log(shape * np.mean(np.exp(shape * logs))) / shape)

    def cost(log_shape: float) -> float:
        shape = np.exp(log_shape)
        return float(log_scale(shape) + special.gammaln(1 / shape) + 1 / shape - log_shape)

    shape = float(np.exp(optimize.fminbound(cost, *np.log(SHAPES))))
    return Law(float(np.exp(log_scale(shape))), shape)


def divergence(p: Law, q: Law) -> float:
    """KL(p || q) of two generalized Gaussians of mean 0 (Do & Vetterli 2002), in nats.

    log(b a' Gamma(1/b') / (b' a Gamma(1/b))) + (a / a')^b' Gamma((b' + 1) / b) / Gamma(1/b) - 1/b, with scale a and
    shape b of p, and a', b' of q.
    """
    gamma = special.gammaln
    ratio = np.log(p.shape / q.shape) + np.log(q.scale / p.scale) + gamma(1 / q.shape) - gamma(1 / p.shape)
    power = q.shape * np.log(p.scale / q.scale) + gamma((q.shape + 1) / p.shape) - gamma(1 / p.shape)
    return float(ratio + np.exp(power) - 1 / p.shape)


def bands(result: arrays.Picture, sources: Sequence[arrays.Picture]) -> float:
    """Error of the contrast at every scale, orientation and color: mean |log(std of result / std of source)|.

    Over 27 subbands of undecimated Haar wavelets (a trous; Holschneider et al. 1989): three scales, the orientations
    LH, HL and HH, and the channels of `OPPONENTS`. Only differences within the picture count, so borders do not matter.
    Of several sources the mean log std. Standard deviations below the rounding of 8 bits count as that rounding.

    0 is best; a real crop of its source has about 0.1 or less, log 2 = 0.69 is half or twice the contrast everywhere.
    """
    source = np.mean([_log_deviations(picture) for picture in sources], 0)
    return float(np.mean(np.abs(_log_deviations(result) - source)))


def _log_deviations(picture: arrays.Picture) -> Float[np.ndarray, "9 3"]:
    deviations = [band.std((0, 1)) for band in _haar(picture @ OPPONENTS)]
    return np.log(np.maximum(deviations, arrays.ROUNDING))


def _haar(low: Band) -> Iterator[Band]:
    """The bands LH, HL and HH of each scale, fine to coarse."""
    for scale in range(SCALES):
        rows = _split(low, 0, 2**scale)
        (low, lh), (hl, hh) = (_split(part, 1, 2**scale) for part in rows)
        yield from (lh, hl, hh)


def _split(x: Band, axis: int, step: int) -> tuple[Band, Band]:
    """Means and halved differences of entries `step` apart."""
    x = x.swapaxes(0, axis)
    a, b = x[:-step], x[step:]
    return ((a + b) / 2).swapaxes(0, axis), ((a - b) / 2).swapaxes(0, axis)
