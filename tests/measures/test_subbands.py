"""Wavelet measures against distributions, integrals and correlations by SciPy, and against formulas by hand."""

import math
from typing import Any

import numpy as np
import pytest
import pywt
import scipy.integrate
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import images, measures
from texjax.measures import subbands

DISTRIBUTIONS = [subbands.GeneralizedGaussian(*pair) for pair in ((0.3, 2.0), (0.1, 1.0), (0.2, 0.6), (0.5, 3.0))]


def noise(height: int, width: int, seed: int = 0, deviation=0.1) -> np.ndarray:
    """Gaussian noise [h, w, 3] about 0.5, not clipped."""
    values = np.random.default_rng(seed).standard_normal((height, width, 3))
    return (0.5 + deviation * values).astype(np.float32)


def gaussian_kl(p: float, q: float) -> float:
    """Return KL(p || q) of two Gaussians with the same mean and these standard deviations."""
    return math.log(q / p) + p**2 / (2 * q**2) - 0.5


def integral(p: tuple[float, float], q: tuple[float, float]) -> float:
    """Return KL(p || q) of two generalized Gaussians, (scale, shape) each, by quadrature over one half of the axis."""
    first, second = ({"beta": shape, "scale": scale} for scale, shape in (p, q))
    gennorm: Any = scipy.stats.gennorm

    def integrand(x):
        return gennorm.pdf(x, **first) * (gennorm.logpdf(x, **first) - gennorm.logpdf(x, **second))

    return 2 * scipy.integrate.quad(integrand, 0, gennorm.ppf(1 - 1e-12, **first), limit=500)[0]


@pytest.mark.parametrize("p", DISTRIBUTIONS)
@pytest.mark.parametrize("q", DISTRIBUTIONS)
def test_divergence_equals_the_integral(p, q):
    assert subbands.divergence(p, q) == pytest.approx(integral(p, q), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("p", DISTRIBUTIONS)
def test_fit_equals_scipy(p):
    values = scipy.stats.gennorm(p.shape, scale=p.scale).rvs(4000, random_state=0)
    floored = np.maximum(np.abs(values), 1 / 255 / math.sqrt(12))  # at the deviation of rounding to 8 bits
    shape, _, scale = scipy.stats.gennorm.fit(floored, floc=0)
    assert subbands.fit(values) == pytest.approx((scale, shape), rel=1e-3)


def test_kl_equals_the_subbands_one_by_one():
    source, result = noise(90, 80) ** 3, noise(70, 110, 1, 0.13)
    want = []
    # The three scales have the bands H, V and D each, and each band has three channels.
    for p, q in zip(*(pywt.wavedec2(x, "db4", level=3, axes=(0, 1))[1:] for x in (source, result)), strict=True):
        for band, other in zip(p, q, strict=True):
            for channel in range(3):
                fits = (scipy.stats.gennorm.fit(x[..., channel].ravel(), floc=0) for x in (band, other))
                want.append(integral(*((scale, shape) for shape, _, scale in fits)))
    assert len(want) == 27
    assert measures.wavelet_kl(result, [source]) == pytest.approx(np.mean(want), rel=0.01)


@pytest.mark.parametrize(("source", "result"), [(0.1, 0.2), (0.2, 0.1), (0.1, 0.13)])
def test_kl_of_gaussian_noise(source: float, result: float):
    # White noise stays white except at the mirrored borders, which matter less in larger images.
    got = measures.wavelet_kl(noise(640, 640, 0, result), [noise(640, 600, 1, source)])
    assert got == pytest.approx(gaussian_kl(source, result), rel=0.12)


def test_kl_pools_the_sources():
    # Half of the pooled coefficients have deviation 0.05, and half have 0.2, as in an image that joins both sources.
    sources = [noise(200, 200, 0, 0.05), noise(200, 200, 1, 0.2)]
    mixed = np.concatenate(sources)
    assert measures.wavelet_kl(mixed, sources) < 0.01
    assert measures.wavelet_kl(sources[0], sources) > 0.1


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(56, 80))
def test_no_distance_to_itself(seed: int, height: int):
    picture = noise(height, 60, seed)
    assert measures.wavelet_kl(picture, [picture]) == pytest.approx(0, abs=1e-9)
    assert measures.bands(picture, [picture, picture]) == pytest.approx(0, abs=1e-9)
    assert measures.wavelet_kl(picture, [noise(60, 60)]) >= 0


def deviations(picture: np.ndarray) -> np.ndarray:
    """Return the log standard deviations of the 27 undecimated Haar subbands, by SciPy's correlations."""
    r, g, b = picture.astype(np.float64).transpose(2, 0, 1)
    low, high, out = np.array([1, 1]), np.array([1, -1]), []
    for plane in ((r + g + b) / 3, r - g, (r + g) / 2 - b):
        for scale in range(3):
            step = 2**scale

            def filtered(vertical, horizontal, plane=plane, step=step):
                for axis, taps in enumerate((vertical, horizontal)):
                    spread = np.zeros(step + 1)
                    spread[[0, -1]] = taps / 2
                    plane = scipy.ndimage.correlate1d(plane, spread, axis, origin=-(len(spread) // 2))
                    plane = plane[: len(plane) - step * (1 - axis), : plane.shape[-1] - step * axis]
                return plane

            out += [np.log(filtered(*pair).std()) for pair in ((low, high), (high, low), (high, high))]
            plane = filtered(low, low)
    return np.array(out)


def test_bands_equal_scipy():
    ramp = np.linspace(0, 1, 70)[:, None, None].astype(np.float32)
    result, sources = noise(70, 64) * ramp, [noise(50, 81, 1), noise(66, 58, 2, 0.03)]
    want = np.abs(deviations(result) - np.mean([deviations(source) for source in sources], 0)).mean()
    assert measures.bands(result, sources) == pytest.approx(want, rel=1e-4)


@settings(max_examples=10)
@given(factor=st.floats(0.5, 4))
def test_bands_of_another_contrast(factor: float):
    source = noise(60, 60)
    result = (0.5 + factor * (source - 0.5)).astype(np.float32)
    assert measures.bands(result, [source]) == pytest.approx(abs(math.log(factor)), abs=1e-4)
    turned = np.rot90(source[:, ::-1])
    assert measures.bands(turned, [source.swapaxes(0, 1)]) == pytest.approx(0, abs=1e-4)


def test_flat_and_gray_images_have_finite_values():
    flat, gray = np.full((60, 60, 3), 0.5, np.float32), noise(60, 60)[:, :, :1].repeat(3, 2)
    for result in (flat, gray):
        for measure in (measures.bands, measures.wavelet_kl):
            assert measure(result, [result]) == pytest.approx(0, abs=1e-9)
            assert math.isfinite(measure(result, [noise(60, 60)])) and math.isfinite(measure(noise(60, 60), [result]))


def test_a_real_crop_has_the_bands_of_the_whole(test_data):
    # Another implementation gives 0.07, for another crop of 256 pixels.
    whole = images.load(test_data / "images" / "bark.jpg", width=512)
    assert measures.bands(whole[100:356, 100:356], [whole]) == pytest.approx(0.07, abs=0.02)
