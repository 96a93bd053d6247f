"""The pyramid against correlations by SciPy, matrices in float64, and sizes worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, pyramid

# Burt & Adelson (1983): [1/4 - a/2, 1/4, a, 1/4, 1/4 - a/2] with a = 0.4.
KERNEL = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
MODES = {"reflect": "mirror", "circular": "wrap"}  # SciPy's names
PADDINGS = ("valid", "reflect", "circular")
# These cover even and odd sides, and the smallest ones.
REDUCED = [("valid", 5, 6), ("valid", 8, 11), ("reflect", 3, 4), ("reflect", 10, 7), ("circular", 4, 3)]
REDUCED += [("circular", 9, 8)]
# An odd circular side is missing: its first and last sample are both even, so no zero-stuffed signal describes it.
EXPANDED = [("valid", 5, 6), ("valid", 8, 11), ("reflect", 3, 4), ("reflect", 10, 7), ("circular", 4, 10)]
reduce = jax.jit(lambda image, padding="valid": pyramid.reduce(image, padding=padding), static_argnums=1)
expand = jax.jit(
    lambda image, shape, padding="valid": pyramid.expand(image, shape, padding=padding), static_argnums=(1, 2)
)
enlarge = jax.jit(pyramid.enlarge, static_argnums=(1, 2, 3))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return uniform noise [h, w, 3], float32."""
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def reduced(x: np.ndarray, axis: int, padding: str) -> np.ndarray:
    """Filter one axis by SciPy and keep every second sample; "valid" keeps only samples that need no padding."""
    full = scipy.ndimage.correlate1d(x.astype(np.float64), KERNEL, axis, mode=MODES.get(padding, "constant"))
    full = np.moveaxis(full, axis, 0)
    return np.moveaxis(full[2:-2][::2] if padding == "valid" else full[::2], 0, axis)


def expanded(x: np.ndarray, n: int, axis: int, padding: str) -> np.ndarray:
    """Put zeros between the samples of one axis, and correlate them with twice the kernel by SciPy."""
    x = np.moveaxis(x.astype(np.float64), axis, 0)
    # With "valid" coarse sample 0 lies on fine sample 2, so repeated samples fill the place outside.
    outside = 2 if padding == "valid" else 0
    x = np.pad(x, [(outside, outside + 1 if outside else 0), (0, 0), (0, 0)], mode="edge")
    stuffed = np.zeros((2 * len(x), *x.shape[1:]))
    stuffed[::2] = x
    if padding == "valid":
        fine = scipy.ndimage.correlate1d(stuffed, 2 * KERNEL, 0, mode="constant")[2 : 2 + n]
    else:
        fine = scipy.ndimage.correlate1d(stuffed[:n], 2 * KERNEL, 0, mode=MODES[padding])
    return np.moveaxis(fine, 0, axis)


@pytest.mark.parametrize(("padding", "height", "width"), REDUCED)
def test_reduce_equals_scipy(padding: str, height: int, width: int):
    image = picture(height, width)
    want = reduced(reduced(image, 0, padding), 1, padding)
    got = reduce(jnp.asarray(image), padding)
    assert got.shape == (pyramid.size(height, padding), pyramid.size(width, padding), 3)
    np.testing.assert_allclose(got, want, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("padding", "height", "width"), EXPANDED)
def test_expand_equals_scipy(padding: str, height: int, width: int):
    coarse = picture(pyramid.size(height, padding), pyramid.size(width, padding))
    want = expanded(expanded(coarse, height, 0, padding), width, 1, padding)
    got = expand(jnp.asarray(coarse), (height, width), padding)
    assert got.shape == (height, width, 3)
    np.testing.assert_allclose(got, want, atol=1e-6, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("height", "width"), [(16, 11), (7, 12)])
def test_constants_stay(padding: str, height: int, width: int):
    color = np.array([0.2, 0.5, 0.9], np.float32)
    image = jnp.asarray(np.broadcast_to(color, (height, width, 3)))
    coarse = reduce(image, padding)
    fine = expand(coarse, (height, width), padding)
    for got in (coarse, fine):
        np.testing.assert_allclose(got, np.broadcast_to(color, got.shape), atol=1e-6, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("height", "width"), [(32, 48), (31, 30)])
def test_laplacian_is_the_difference_of_octaves_and_reconstructs(padding: str, height: int, width: int):
    image = picture(height, width)
    levels = jax.jit(lambda x: pyramid.laplacian(x, 3, padding=padding))(jnp.asarray(image))
    # SciPy makes the octaves; each level is an octave minus the next octave expanded.
    octaves = [image.astype(np.float64)]
    for _ in range(2):
        octaves.append(reduced(reduced(octaves[-1], 0, padding), 1, padding))
    assert [level.shape for level in levels] == [octave.shape for octave in octaves]
    np.testing.assert_allclose(levels[-1], octaves[-1], atol=1e-6, rtol=0)
    for level, octave, coarser in zip(levels, octaves, octaves[1:], strict=False):
        if padding != "circular" or all(n % 2 == 0 for n in octave.shape[:2]):
            want = octave - expanded(expanded(coarser, octave.shape[0], 0, padding), octave.shape[1], 1, padding)
            np.testing.assert_allclose(level, want, atol=2e-6, rtol=0)
    whole = levels[-1]
    for level in reversed(levels[:-1]):
        whole = level + expand(whole, level.shape[:2], padding)
    np.testing.assert_allclose(whole, image, atol=1e-6, rtol=0)


@settings(max_examples=10)
@given(down=st.integers(-9, 9), right=st.integers(-9, 9))
def test_circular_commutes_with_rolling_by_two(down: int, right: int):
    image = picture(16, 20)
    rolled = reduce(jnp.asarray(np.roll(image, (2 * down, 2 * right), (0, 1))), "circular")
    want = np.roll(reduce(jnp.asarray(image), "circular"), (down, right), (0, 1))
    np.testing.assert_allclose(rolled, want, atol=1e-6, rtol=0)
    back = expand(rolled, (16, 20), "circular")
    there = expand(jnp.asarray(want), (16, 20), "circular")
    np.testing.assert_allclose(back, there, atol=1e-6, rtol=0)
    unrolled = np.roll(np.asarray(there), (-2 * down, -2 * right), (0, 1))
    plain = expand(jnp.asarray(np.roll(want, (-down, -right), (0, 1))), (16, 20), "circular")
    np.testing.assert_allclose(unrolled, plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("padding", ["valid", "reflect"])
def test_other_paddings_do_not_wrap(padding: str):
    image = picture(16, 20)
    rolled = reduce(jnp.asarray(np.roll(image, 2, 0)), padding)
    assert np.abs(np.asarray(rolled) - np.roll(reduce(jnp.asarray(image), padding), 1, 0)).max() > 1e-2


def test_sizes_equal_those_of_the_reference():
    # subjective-functions: n -> floor((n - 5) / 2) + 1.
    assert pyramid.sizes(512, 5, "valid") == [512, 254, 125, 61, 29]
    assert pyramid.sizes(512, 4, "reflect") == pyramid.sizes(512, 4, "circular") == [512, 256, 128, 64]
    assert pyramid.sizes(61, 4, "circular") == [61, 31, 16, 8]
    assert pyramid.sizes(4, 2, "valid") == [4, 0]
    assert pyramid.sizes(2, 2, "reflect") == [2, 0]
    assert pyramid.sizes(2, 2, "circular") == [2, 0]
    assert pyramid.sizes(3, 3, "circular") == pyramid.sizes(3, 3, "reflect") == [3, 2, 0]


def matrix(n: int, padding: str) -> np.ndarray:
    """Return the matrix [coarse, fine] by which SciPy reduces one axis."""
    return reduced(np.eye(n)[:, :, None], 0, padding)[..., 0]


@pytest.mark.parametrize("padding", PADDINGS)
def test_value_and_gradient_under_jit_equal_matrices(padding: str):
    with jax.enable_x64(True):
        image = np.random.default_rng(0).random((13, 16, 3))
        a, b = matrix(13, padding), matrix(16, padding)
        target = np.random.default_rng(1).random((len(a), len(b), 3))

        def energy(x: jax.Array) -> jax.Array:
            return 0.5 * ((pyramid.reduce(x, padding=padding) - target) ** 2).sum()

        value, gradient = jax.jit(jax.value_and_grad(energy))(jnp.asarray(image))
        # d/dX of |A X B' - Y|^2 / 2 is A' (A X B' - Y) B, channel by channel.
        residual = np.einsum("ij,jkc,lk->ilc", a, image, b) - target
        np.testing.assert_allclose(value, 0.5 * (residual**2).sum(), rtol=1e-13)
        np.testing.assert_allclose(gradient, np.einsum("ij,ilc,lk->jkc", a, residual, b), atol=1e-14, rtol=0)
        assert gradient.dtype == np.float64


def test_unknown_padding_is_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'circular'"):
        pyramid.check("circlar")
    for padding in PADDINGS:
        pyramid.check(padding)


@pytest.mark.parametrize(("old", "new"), [((8, 9), (16, 18)), ((7, 10), (13, 10))])
def test_enlarging_multiplies_waves_by_their_gain(old: tuple[int, int], new: tuple[int, int]):
    """The wave cos(2 pi (2 y + x) + 1) on a gray of 0.5 stays a wave, multiplied by its gains along y and x."""

    def wave(shape: tuple[int, int], gain: float) -> np.ndarray:
        y, x = np.meshgrid(np.arange(shape[0]) / shape[0], np.arange(shape[1]) / shape[1], indexing="ij")
        return np.repeat((0.5 + gain * np.cos(2 * np.pi * (2 * y + x) + 1))[..., None], 3, -1)

    gain = np.exp(-((2 / new[0]) ** 2 + (1 / new[1]) ** 2) / (2 * 0.1**2))
    got = enlarge(jnp.asarray(wave(old, 1.0), jnp.float32), new, "circular", 0.1)
    np.testing.assert_allclose(got, wave(new, gain), atol=2e-6)


def test_enlarging_mirrors_at_the_edges_if_nothing_wraps():
    """A half wave from edge to edge, cos(pi y), is even about both edges."""
    old, new = (np.cos(np.pi * (np.arange(n) + 0.5) / n)[:, None, None] * np.ones((1, 4, 3)) for n in (6, 11))
    gain = np.exp(-((1 / (2 * 11)) ** 2) / (2 * 0.06**2))
    got = enlarge(jnp.asarray(old, jnp.float32), (11, 4), "valid", 0.06)
    np.testing.assert_allclose(got, gain * new, atol=2e-6)


@given(seed=st.integers(0, 99), shift=st.integers(0, 7))
@settings(max_examples=10, deadline=None)
def test_enlarging_commutes_with_rolling(seed: int, shift: int):
    image = jnp.asarray(picture(8, 8, seed))
    rolled = enlarge(jnp.roll(image, shift, 0), (16, 16), "circular", 0.1)
    want = np.roll(enlarge(image, (16, 16), "circular", 0.1), 2 * shift, 0)
    np.testing.assert_allclose(rolled, want, atol=2e-6)
