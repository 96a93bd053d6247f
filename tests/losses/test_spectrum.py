"""The nearest picture with a source's spectrum, against loops over frequencies in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, losses, types
from texjax.images import light

C = 3
LOSS = losses.spectrum()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """[h, w, C], whose last row and column equal the first ones, so that its periodic part is the picture itself."""
    image = np.random.default_rng(seed).random((height, width, C)).astype(np.float32)
    image[-1], image[:, -1] = image[0], image[:, 0]
    image[-1, -1] = image[0, -1] = image[-1, 0] = image[0, 0]
    return image


def views(*images: np.ndarray, weight: float = 1.0) -> list[types.View]:
    return [types.View(0, "pixels", weight, jnp.asarray(np.stack(images)))]


def evaluate(image: np.ndarray, source: np.ndarray) -> float:
    return float(LOSS.value(views(image), LOSS.join([LOSS.summarize(views(source))])))


def nearest(wave: int, side: int, own: int) -> int:
    """The number k of the source's wave, k / own cycles per pixel, next to wave / side; ties go away from 0."""
    waves = sorted(range(-(own // 2), own // 2 + 1), key=lambda k: (abs(round(2 * (k * side - wave * own))), -abs(k)))
    return waves[0] % own


def projection(image: np.ndarray, source: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The nearest picture to the image with the spectrum of the window; the mean color is the source's."""
    mean = source.astype(np.float64).mean((0, 1))
    window = window.astype(np.float64) - window.astype(np.float64).mean((0, 1))
    power, own = np.fft.fft2(window, axes=(0, 1)), np.fft.fft2(image - mean, axes=(0, 1))
    height, width = image.shape[:2]
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.ndindex(height, width):
        waves = [k if 2 * k < side else k - side for k, side in ((y, height), (x, width))]
        at = tuple(nearest(*z) for z in zip(waves, image.shape, window.shape, strict=False))
        groups.setdefault((at[0], at[1]), []).append((y, x))
    assert len(groups) == window.shape[0] * window.shape[1]
    wanted = np.zeros(own.shape, complex)
    for at, members in groups.items():
        shared = {k: np.sum(own[k] * power[at].conj()) for k in members}
        length = np.sqrt(sum(abs(s) ** 2 for s in shared.values()))
        for k, s in shared.items():
            growth = height * width / (window.shape[0] * window.shape[1])
            wanted[k] = growth * power[at] * s / length if length else 0
    back = np.fft.ifft2(wanted, axes=(0, 1))
    np.testing.assert_allclose(back.imag, 0, atol=1e-12)
    return mean + back.real


@settings(max_examples=2)
@given(height=st.integers(3, 9), width=st.integers(3, 9), seed=st.integers(0, 99))
def test_equals_the_paper_for_a_source_of_the_same_size(height, width, seed):
    """With S = sum_c X_c conj(A_c), P = IFFT(S / |S| A); the transforms are of the pictures with their means."""
    source, image = picture(height, width, seed), np.random.default_rng(seed + 1).random((height, width, C))
    a, x = (np.fft.fft2(p.astype(np.float64), axes=(0, 1)) for p in (source, image))
    s = (x * a.conj()).sum(2, keepdims=True)
    wanted = a * s / np.abs(s)
    p = np.fft.ifft2(wanted, axes=(0, 1))
    np.testing.assert_allclose(p.imag, 0, atol=1e-9)
    assert evaluate(image.astype(np.float32), source) == pytest.approx(np.mean((image - p.real) ** 2), rel=1e-4)


@settings(max_examples=2)
@given(
    own=st.tuples(st.sampled_from((4, 6, 8)), st.sampled_from((4, 6, 10))),
    more=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    seed=st.integers(0, 99),
)
def test_equals_the_loops_for_a_larger_output(own, more, seed):
    source = picture(own[0], own[1], seed)
    image = np.random.default_rng(seed + 1).random((own[0] + more[0], own[1] + more[1], C)).astype(np.float32)
    distance = np.mean((image - projection(image, source, source)) ** 2)
    assert evaluate(image, source) == pytest.approx(distance, rel=1e-4)


def test_a_source_that_is_larger_is_seen_in_its_middle_and_an_odd_one_loses_a_pixel():
    rng = np.random.default_rng(0)
    source, image = rng.random((11, 7, C)).astype(np.float32), rng.random((6, 9, C)).astype(np.float32)
    window = np.asarray(light.periodic(source[2:8, :6].astype(np.float64)))
    distance = np.mean((image - projection(image, source, window)) ** 2)
    assert evaluate(image, source) == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("side", [16, 20])
def test_a_regular_texture_that_goes_on_is_at_no_distance(side: int):
    """Stripes of four pixels, in an output with room for whole periods; the source's opposite edges are alike."""

    def stripes(width: int, move: float, period: int = 4) -> np.ndarray:
        wave = np.cos(2 * np.pi / period * (np.arange(width) + move))[None, :, None] * np.array([0.3, 0.2, -0.1]) + 0.5
        return np.broadcast_to(wave, (8, width, C)).astype(np.float32)

    source = stripes(16, 0.5)
    assert evaluate(stripes(side, 1.0), source) < 1e-9
    # The stripes are orthogonal to all pictures of that spectrum, so that their energies add.
    amplitudes = np.mean(np.square([0.3, 0.2, -0.1])) / 2
    assert evaluate(stripes(side, 0.0, side), source) == pytest.approx(2 * amplitudes, rel=1e-4)


def test_no_picture_of_that_spectrum_is_nearer():
    """Other phases of the frequencies, and another share of the power among those that share one of the source's."""
    source, rng = picture(4, 6), np.random.default_rng(1)
    image = rng.random((9, 8, C)).astype(np.float32)
    own = evaluate(image, source)
    for _ in range(20):
        other = rng.random(image.shape)
        distance = np.mean((image - projection(other + image, source, source)) ** 2)
        assert distance >= own * (1 - 1e-5)


def test_the_gradient_is_that_of_half_a_squared_distance():
    source, image = picture(6, 6), np.random.default_rng(1).random((7, 8, C)).astype(np.float32)
    target = LOSS.join([LOSS.summarize(views(source))])
    gradient = jax.grad(lambda x: LOSS.value([views(image)[0]._replace(features=x[None])], target))(jnp.asarray(image))
    want = 2 * (image - projection(image, source, source)) / image.size
    np.testing.assert_allclose(gradient, want, rtol=1e-3, atol=1e-6)


def test_flat_pictures_are_no_problem():
    flat = np.full((6, 6, C), 0.5, np.float32)
    for image, source in ((flat, picture(6, 6)), (picture(6, 6), flat), (flat, flat)):
        target = LOSS.join([LOSS.summarize(views(source))])
        gradient = jax.grad(lambda x, at=target: LOSS.value([views(flat)[0]._replace(features=x)], at))
        assert np.isfinite(gradient(jnp.asarray(image)[None])).all()
    assert evaluate(flat, flat) == pytest.approx(0, abs=1e-9)


def test_several_sources_are_refused():
    with pytest.raises(errors.TexjaxError, match="there are 2 sources"):
        LOSS.join([LOSS.summarize(views(picture(4, 4, seed))) for seed in (0, 1)])


def test_it_does_not_add_over_tiles():
    assert LOSS.additive is None and LOSS.least == 2
