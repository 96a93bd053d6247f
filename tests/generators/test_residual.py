"""The network of Johnson et al. against the same layers in SciPy, and what it promises as a generator."""

import itertools

import jax
import numpy as np
import pytest
from scipy import signal

from texjax import errors, generators, types


def correlated(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Sums of products of [h, w, i] and a kernel [kh, kw, i, o] at the places where it lies within."""
    outputs = [
        sum(signal.correlate2d(x[..., i], kernel[..., i, o], "valid") for i in range(kernel.shape[2]))
        for o in range(kernel.shape[3])
    ]
    return np.stack(outputs, -1)


def reflected(x: np.ndarray, pixels: int) -> np.ndarray:
    return np.pad(x, ((pixels, pixels), (pixels, pixels), (0, 0)), "reflect")


def expected(params: dict, photo: np.ndarray, code: np.ndarray, blocks: int) -> np.ndarray:
    """The paper's layers in float64, in the order of the paper, with the parameters in the order of their numbers."""
    kernels = (np.asarray(params[f"Conv_{i}"]["kernel"], np.float64) for i in itertools.count())
    norms = (params[f"CodedInstanceNorm_{i}"] for i in itertools.count())

    def normalized(x: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
        norm = next(norms)
        standard = (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + epsilon)
        return standard * (code @ np.asarray(norm["scales"])) + code @ np.asarray(norm["offsets"])

    def layer(x: np.ndarray) -> np.ndarray:
        kernel = next(kernels)
        return normalized(correlated(reflected(x, len(kernel) // 2), kernel))

    def strided(x: np.ndarray) -> np.ndarray:
        """A convolution of 6 x 6 pixels at every second pixel, by the kernel [3, 3, (2, 2, i), o]."""
        kernel = next(kernels)
        inputs = x.shape[2]
        large = kernel.reshape(3, 3, 2, 2, inputs, -1).transpose(0, 2, 1, 3, 4, 5).reshape(6, 6, inputs, -1)
        return normalized(correlated(reflected(x, 2), large)[::2, ::2])

    x = np.maximum(layer(photo - 0.5), 0)
    for _ in range(2):
        x = np.maximum(strided(x), 0)
    for _ in range(blocks):
        x = x + layer(np.maximum(layer(x), 0))
    for _ in range(2):
        x = np.maximum(layer(x.repeat(2, 0).repeat(2, 1)), 0)
    kernel, last = next(kernels), max(params, key=lambda name: int(name.split("_")[1]) if "Conv" in name else -1)
    last_layer = correlated(reflected(x, 4), kernel) + np.asarray(params[last]["bias"])
    return normalized(photo, 1e-3) + last_layer


def initial(generator: types.Generator, seed: int = 0) -> dict:
    return jax.jit(generator.init)(jax.random.key(seed))


def moved(weights: dict, seed: int) -> dict:
    """The parameters with noise added, so that scales are no ones, and offsets no zeros."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: x + 0.3 * rng.normal(size=x.shape).astype(np.float32), weights)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_layers(channels: int):
    generator = generators.residual(channels, 2, widths=(2, 3, 4), blocks=2)
    rng = np.random.default_rng(1)
    photos = rng.random((2, 16, 12, channels)).astype(np.float32)
    codes = np.array([[1, 0], [0.25, 0.75]], np.float32)
    weights = moved(initial(generator), 2)
    variables = np.asarray(jax.jit(generator.apply)(weights, photos, codes))
    assert variables.shape == photos.shape
    for photo, code, result in zip(photos, codes, variables, strict=True):
        np.testing.assert_allclose(result, expected(weights["params"], photo, code, 2), atol=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_begins_near_the_normalized_photographs(seed: int):
    """However dark, poor in contrast or tinted a photograph is, its channels begin with mean 0 and variance 1."""
    generator = generators.residual(3, 1, widths=(4, 4, 8), blocks=1)
    rng = np.random.default_rng(seed)
    photos = (rng.random((1, 32, 32, 3)) * [0.9, 0.5, 0.4] + [0.1, 0.5, 0.0]).astype(np.float32)
    variables = jax.jit(generator.apply)(initial(generator, seed), photos, np.ones((1, 1), np.float32))
    even = (photos - photos.mean((1, 2))) / photos.std((1, 2))
    assert np.std(np.asarray(variables) - even) < 0.3


def test_a_flat_photograph_stays_nearly_flat():
    """Noise of one gray level of 255 begins with a deviation of 1 / 255 / sqrt(0.001) = 0.12 and not 1."""
    generator = generators.residual(1, 1, widths=(4, 4, 8), blocks=0)
    noise = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)
    weights = jax.tree.map(np.array, initial(generator))
    last = max(name for name in weights["params"] if "kernel" in weights["params"][name])
    weights["params"][last]["kernel"][:] = 0
    variables = jax.jit(generator.apply)(weights, 0.5 + noise / 255, np.ones((1, 1), np.float32))
    assert np.std(variables) == pytest.approx(0.123, abs=0.01)


def test_training_changes_no_statistics():
    generator = generators.residual(3, 1, widths=(2, 2, 2), blocks=0)
    weights = initial(generator)
    photos, codes = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32), np.ones((2, 1), np.float32)
    images, renewed = jax.jit(generator.train)(weights, photos, codes)
    np.testing.assert_allclose(images, jax.jit(generator.apply)(weights, photos, codes), atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, renewed, weights)


def test_what_it_says_of_itself():
    generator = generators.residual(3, 1)
    assert (generator.draw, generator.multiple, generator.halo) == (None, 4, None)
    # By hand, c9s1-16, two of 3 x 3 x 4 i, four blocks of two, two that enlarge, and c9s1-3 with its bias; and a scale
    # and an offset for each channel of the normalized ones, of which three are those of the photograph.
    kernels = 81 * 3 * 16 + 9 * 4 * (16 * 32 + 32 * 64) + 8 * 9 * 64 * 64 + 9 * (64 * 32 + 32 * 16) + 81 * 16 * 3 + 3
    norms = 2 * (16 + 32 + 64 + 8 * 64 + 32 + 16 + 3)
    weights = jax.eval_shape(generator.init, jax.random.key(0))
    assert sum(x.size for x in jax.tree.leaves(weights)) == kernels + norms


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"widths": (4, 4)}, r"the number of generator\.widths is 2"),
        ({"widths": (4, 0, 4)}, r"generator\.widths\[1\] is 0"),
        ({"blocks": -1}, r"generator\.blocks is -1"),
    ],
)
def test_settings_that_no_network_has(settings, sentence):
    with pytest.raises(errors.TexjaxError, match=sentence):
        generators.residual(3, 1, **settings)
