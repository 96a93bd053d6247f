"""Extractors called as functions, as in a notebook: against SciPy, inside JAX's transformations, and with bad input."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from texjax import errors, features

LAYERS = ("conv1_1", "pixels")
NETWORK = features.random(size=3, channels=2)
KERNEL = np.asarray(NETWORK.weights["conv1_1"], np.float64)
IMAGES = np.random.default_rng(0).random((3, 8, 11, 3))


def scipy_response(image: np.ndarray) -> np.ndarray:
    """[h, w, 3] -> [h - 2, w - 2, 2] of the random filters before the ReLU."""
    planes = [
        sum(scipy.signal.correlate(image[..., i], KERNEL[..., i, o], "valid") for i in range(3)) for o in range(2)
    ]
    return np.stack(planes, -1)


def scipy_features(image: np.ndarray) -> np.ndarray:
    """[h, w, 3] -> [h - 2, w - 2, 2] of the layer conv1_1."""
    return np.maximum(scipy_response(image), 0)


WANTED = np.stack([scipy_features(image) for image in IMAGES])


@pytest.mark.parametrize("array", [np.asarray, np.float32, jnp.asarray])
@pytest.mark.parametrize("layers", [LAYERS, list(LAYERS)])
def test_an_image_or_a_stack_of_images(array: Any, layers: Any):
    for images, wanted in ((IMAGES[0], WANTED[0]), (IMAGES, WANTED), (IMAGES[:1], WANTED[:1])):
        maps = NETWORK(array(images), layers)
        assert list(maps) == list(layers)
        np.testing.assert_allclose(maps["conv1_1"], wanted, atol=1e-6, rtol=0)
        np.testing.assert_allclose(maps["pixels"], images, atol=1e-7, rtol=0)


def test_jit_compiles_it_once():
    compiled = jax.jit(NETWORK, static_argnums=1)
    for image, wanted in zip(IMAGES, WANTED, strict=True):
        np.testing.assert_allclose(compiled(image, LAYERS)["conv1_1"], wanted, atol=1e-6, rtol=0)
    assert compiled._cache_size() == 1  # pyright: ignore[reportAttributeAccessIssue]
    inside = jax.jit(lambda image: NETWORK(image, LAYERS)["conv1_1"])
    np.testing.assert_allclose(inside(IMAGES), WANTED, atol=1e-6, rtol=0)


def test_vmap_equals_a_stack():
    mapped = jax.vmap(lambda image: NETWORK(image, LAYERS)["conv1_1"])
    np.testing.assert_allclose(mapped(jnp.asarray(IMAGES)), WANTED, atol=1e-6, rtol=0)


def test_gradient_is_the_transposed_correlation():
    """Of sum F^2 / 2 with F = ReLU(K x): the full convolution of F with K."""

    def energy(images: jax.Array) -> jax.Array:
        return (NETWORK(images, ("conv1_1",))["conv1_1"] ** 2).sum() / 2

    wanted = np.stack(
        [sum(scipy.signal.convolve(WANTED[0][..., o], KERNEL[..., i, o], "full") for o in range(2)) for i in range(3)],
        -1,
    )
    np.testing.assert_allclose(jax.grad(energy)(jnp.asarray(IMAGES[0])), wanted, atol=1e-5, rtol=0)
    np.testing.assert_allclose(jax.grad(energy)(jnp.asarray(IMAGES))[0], wanted, atol=1e-5, rtol=0)


def test_extractors_are_compared_by_identity():
    assert len({NETWORK, NETWORK, features.random(size=3, channels=2)}) == 2


def test_weights_may_be_given_by_position(random_vgg19: Path):
    image = np.random.default_rng(0).random((24, 26, 3))
    for network in (features.vgg19(random_vgg19), features.vgg19(str(random_vgg19)), features.compact(random_vgg19)):
        # Unpadded: (24 - 4) / 2 and (26 - 4) / 2, less 4 and halved again; the widths of VGG-19.
        maps = network(image, ("conv1_1", "pool2"))
        assert {layer: x.shape for layer, x in maps.items()} == {"conv1_1": (22, 24, 64), "pool2": (3, 3, 128)}
    with pytest.raises(errors.TexjaxError, match="holds vgg19 and not vgg16"):
        features.vgg16(random_vgg19)


@pytest.mark.parametrize(
    ("image", "layers", "message"),
    [
        (IMAGES, "conv1_1", r"layers is the string 'conv1_1'; give a tuple of names, such as \('conv1_1',\)"),
        (IMAGES, ("conv1_2",), "unknown layer 'conv1_2'; did you mean 'conv1_1'"),
        (IMAGES[0, :, :, 0], LAYERS, r"has shape \[8, 11\]; give \[height, width, 3\], or a stack"),
        (IMAGES[0].transpose(2, 0, 1), LAYERS, r"has shape \[3, 8, 11\]"),
        (IMAGES[None], LAYERS, r"has shape \[1, 3, 8, 11, 3\]"),
        ((255 * IMAGES).astype(np.uint8), LAYERS, r"of type uint8; give floats in \[0, 1\] \(divide uint8 by 255\)"),
        (np.ones((8, 8, 3), int), LAYERS, "of type int32"),
        (np.ones((8, 8, 3), bool), LAYERS, "of type bool"),
        (IMAGES[:, :, :2], LAYERS, "is 2 x 8 px, and layer conv1_1 needs at least 3 px on each side"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(image: Any, layers: Any, message: str):
    with pytest.raises(errors.TexjaxError, match=message) as caught:
        NETWORK(image, layers)
    assert "\n" not in str(caught.value)


def test_the_layer_that_needs_most_pixels_is_named():
    # Unpadded: 31 - 4 = 27, 13, 9, 4, and the second convolution of the third block has 0 left.
    with pytest.raises(errors.TexjaxError, match="31 x 40 px, and layer conv3_2 needs at least 32 px"):
        features.compact()(np.zeros((40, 31, 3)), ("pool1", "conv3_2", "pool2"))
    assert features.compact()(np.zeros((32, 32, 3)), ("conv3_2",))["conv3_2"].shape == (1, 1, 96)
