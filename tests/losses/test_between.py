"""The loss between two images against the same sum composed in NumPy and SciPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from texjax import errors, features, losses, types

KERNEL = np.array([0.05, 0.25, 0.4, 0.25, 0.05])  # Burt and Adelson's, a = 0.4
EXTRACTOR = features.random(size=3, channels=4)
LAYERS = {"conv1_1": 0.5, "pixels": 3.0}
GRAM = losses.gram()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


IMAGE, SOURCE = picture(12, 15), picture(13, 11, seed=1)


def octaves(image: np.ndarray, count: int, padding: str = "valid") -> list[np.ndarray]:
    """The Gaussian pyramid by SciPy."""
    levels = [image.astype(np.float64)]
    inside = slice(2, -2, 2) if padding == "valid" else slice(None, None, 2)
    while len(levels) < count:
        level = levels[-1]
        for axis in (0, 1):
            mode = "wrap" if padding == "circular" else "mirror"
            level = scipy.ndimage.correlate1d(level, KERNEL, axis, mode=mode)
        levels.append(level[inside, inside])
    return levels


def activation(image: np.ndarray, layer: str) -> np.ndarray:
    """The features of EXTRACTOR: an unpadded correlation, window by window, and ReLU."""
    if layer == "pixels":
        return image
    kernel = np.asarray(EXTRACTOR.weights["conv1_1"], np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[:2], axis=(0, 1))
    return np.maximum(np.einsum("hwikl,klio->hwo", windows, kernel), 0)


def gram(x: np.ndarray) -> np.ndarray:
    """F'F / P / C."""
    return np.einsum("hwi,hwj->ij", x, x) / x.shape[0] / x.shape[1] / x.shape[2]


def snelgrove(image: np.ndarray, sources: list[np.ndarray], layers, count: int, padding: str = "valid") -> float:
    """sum_octaves sum_layers weight sum_ij (G - T)^2, with T the mean over the sources (Snelgrove 2017)."""
    pictures, value = [octaves(x, count, padding) for x in (image, *sources)], 0.0
    for octave in range(count):
        for layer, weight in layers.items():
            of_image, *of_sources = (gram(activation(levels[octave], layer)) for levels in pictures)
            value += weight * ((of_image - np.mean(of_sources, 0)) ** 2).sum()
    return float(value)


def between(image, source=SOURCE, layers=LAYERS, **keys) -> jax.Array:
    return losses.between(GRAM, EXTRACTOR, image, source, layers=layers, **keys)


@pytest.mark.parametrize("layers", [LAYERS, {"conv1_1": 2.0}, {"pixels": 1.0}])
@pytest.mark.parametrize("count", [1, 2])
def test_equals_the_sum_over_octaves_and_layers(count: int, layers):
    value = between(IMAGE, layers=layers, octaves=count)
    assert value.shape == ()
    assert float(value) == pytest.approx(snelgrove(IMAGE, [SOURCE], layers, count), rel=1e-4)


def test_one_octave_is_the_default():
    assert float(between(IMAGE)) == pytest.approx(snelgrove(IMAGE, [SOURCE], LAYERS, 1), rel=1e-4)


@pytest.mark.parametrize("padding", ["reflect", "circular"])
def test_padding_is_that_of_the_pyramid(padding: str):
    expected = snelgrove(IMAGE, [SOURCE], LAYERS, 2, padding)
    assert float(between(IMAGE, octaves=2, padding=padding)) == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(snelgrove(IMAGE, [SOURCE], LAYERS, 2), rel=1e-2)


def test_gradient_equals_finite_differences():
    """The differences are those of the NumPy composition, in float64."""
    direction = np.random.default_rng(3).standard_normal(IMAGE.shape)
    gradient = jax.grad(functools.partial(between, octaves=2))(jnp.asarray(IMAGE))
    ahead, behind = (snelgrove(IMAGE + step * direction, [SOURCE], LAYERS, 2) for step in (1e-6, -1e-6))
    assert gradient.shape == IMAGE.shape
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=1e-3)


def test_a_stack_is_summed():
    images = np.stack([picture(12, 15, seed) for seed in range(3)])
    expected = sum(snelgrove(image, [SOURCE], LAYERS, 2) for image in images)
    assert float(between(images, octaves=2)) == pytest.approx(expected, rel=1e-4)


SOURCES = [SOURCE, picture(10, 20, seed=2)]


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_sources_of_several_sizes(kind):
    expected = snelgrove(IMAGE, SOURCES, LAYERS, 2)
    assert float(between(IMAGE, kind(SOURCES), octaves=2)) == pytest.approx(expected, rel=1e-4)


def test_it_is_jitted_and_mapped():
    images = np.stack([picture(12, 15, seed) for seed in range(2)])
    value = functools.partial(between, octaves=2)
    expected = [snelgrove(image, [SOURCE], LAYERS, 2) for image in images]
    assert float(jax.jit(value)(images[0])) == pytest.approx(expected[0], rel=1e-4)
    np.testing.assert_allclose(jax.jit(jax.vmap(value))(images), expected, rtol=1e-4)


@pytest.mark.parametrize("join", ["average", "max"])
def test_several_sources_are_joined_inside_jit(join: str):
    """The sources are constants of the compiled function, or its arguments."""

    def value(image, sources):
        return losses.between(losses.gram(join=join), EXTRACTOR, image, sources, layers={"pixels": 1.0})

    matrices = [gram(source.astype(np.float64)) for source in SOURCES]
    target = np.mean(matrices, 0) if join == "average" else np.max(matrices, 0)
    expected = float(((gram(IMAGE.astype(np.float64)) - target) ** 2).sum())
    assert float(jax.jit(lambda image: value(image, SOURCES))(IMAGE)) == pytest.approx(expected, rel=1e-4)
    result, gradient = jax.jit(jax.value_and_grad(value))(IMAGE, SOURCES)
    assert float(result) == pytest.approx(expected, rel=1e-4)
    features = IMAGE.reshape(-1, 3).astype(np.float64)  # the gradient is 4 F (F'F / (P C) - T) / (P C)
    slope = 4 * features @ (gram(IMAGE.astype(np.float64)) - target) / features.size
    np.testing.assert_allclose(gradient.reshape(-1, 3), slope, rtol=1e-3, atol=1e-7)


def test_views_say_where_they_lie():
    """A loss of its own reads octave, layer and weight of each view."""

    def value(views, target):
        factors = {"pixels": 1.0, "conv1_1": 100.0}
        return (
            sum(view.weight * 10**view.octave * factors[view.layer] * view.features.mean() for view in views) + target
        )

    def summarize(views):
        return sum(len(view.features) for view in views)

    loss = types.Loss(summarize, lambda counts: counts[0], value)
    total = losses.between(loss, EXTRACTOR, IMAGE, SOURCE, layers=LAYERS, octaves=2)
    expected = 4.0  # places of a stack of one source
    for octave, level in enumerate(octaves(IMAGE, 2)):
        expected += 10**octave * (50 * activation(level, "conv1_1").mean() + 3 * level.mean())
    assert float(total) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"layers": {}}, "no layer given; give layers="),
        ({"layers": {"conv1_2": 1.0}}, "unknown layer 'conv1_2'; did you mean 'conv1_1'"),
        ({"padding": "vald"}, "unknown pyramid padding 'vald'; did you mean 'valid'"),
        ({"image": picture(2, 20)}, "20 x 2 px.*at least 3 px"),
        ({"source": picture(20, 2)}, "2 x 20 px.*at least 3 px"),
        ({"image": picture(8, 20), "octaves": 2}, "at least 3 px"),
        ({"image": picture(8, 20), "layers": {"pixels": 1.0}, "octaves": 3}, "fewer octaves"),
        ({"octaves": 0}, "octaves is 0"),
        ({"source": []}, "source is an empty list"),
    ],
)
def test_what_cannot_be_compared_is_refused(keys, message: str):
    with pytest.raises(errors.TexjaxError, match=message) as caught:
        between(**{"image": IMAGE, "source": SOURCE} | keys)
    assert "\n" not in str(caught.value)


def test_a_layer_smaller_than_the_loss_needs_is_refused():
    with pytest.raises(errors.TexjaxError, match="at least 9"):
        losses.between(losses.mrf(patch=9), EXTRACTOR, IMAGE[:10, :10], SOURCE, layers={"conv1_1": 1.0})
