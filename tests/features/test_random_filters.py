"""Random filters against SciPy's correlation, and their sizes against the receptive field."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, features

PADDINGS = {"valid": "constant", "same": "constant", "reflect": "mirror", "circular": "wrap"}  # SciPy's names


def correlated(image: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    """[h, w, 3], [k, k, 3, c] -> [h', w', c], after the ReLU."""
    image, kernel = image.astype(np.float64), np.asarray(kernel, np.float64)
    out = np.stack(
        [
            sum(scipy.ndimage.correlate(image[..., i], kernel[..., i, o], mode=PADDINGS[padding]) for i in range(3))
            for o in range(kernel.shape[3])
        ],
        -1,
    )
    half = len(kernel) // 2
    return np.maximum(out[half:-half, half:-half] if padding == "valid" and half else out, 0)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("padding", PADDINGS)
def test_equals_scipy(padding: str, size: int):
    extractor = features.random(size=size, channels=4, padding=padding)
    image = np.random.default_rng(0).random((8, 11, 3)).astype(np.float32)
    out = extractor.apply(extractor.weights, jnp.asarray(image), ("pixels", "conv1_1"))
    np.testing.assert_array_equal(out["pixels"], image)
    want = correlated(image, extractor.weights["conv1_1"], padding)
    np.testing.assert_allclose(out["conv1_1"], want, atol=2e-6, rtol=0)
    grid = extractor.grid("conv1_1")
    assert (grid.size(8), grid.size(11)) == want.shape[:2]
    assert (grid.stride, grid.receptive, grid.spoiled) == (1, size, 0 if padding == "valid" else size // 2)


def test_filters_have_zero_mean_and_unit_norm_and_are_random():
    kernel = np.asarray(features.random(size=5, channels=64).weights["conv1_1"])
    assert kernel.shape == (5, 5, 3, 64)
    flat = kernel.reshape(75, 64)
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-7)
    np.testing.assert_allclose((flat**2).sum(0), 1, rtol=1e-5)
    # The cosine of two random directions in 75 - 1 dimensions has the deviation 1 / sqrt(74).
    cosines = (flat.T @ flat)[np.triu_indices(64, 1)]
    assert abs(cosines.mean()) < 5 / np.sqrt(74 * cosines.size)
    assert cosines.std() == pytest.approx(1 / np.sqrt(74), rel=0.1)


def test_flat_gray_images_have_no_response():
    extractor = features.random(size=5, channels=4)
    out = extractor.apply(extractor.weights, jnp.full((9, 9, 3), 0.7), ("conv1_1",))
    np.testing.assert_allclose(out["conv1_1"], 0, atol=1e-6)


def test_seed_decides():
    first, again, other = (features.random(channels=4, seed=seed).weights["conv1_1"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert float(jnp.abs(first - other).max()) > 0.1


@settings(max_examples=25)
@given(side=st.integers(1, 40), size=st.sampled_from([1, 5, 15]), padding=st.sampled_from(list(PADDINGS)))
def test_grid_size_is_the_size(side: int, size: int, padding: str):
    extractor = features.random(size=size, channels=1, padding=padding)
    got = extractor.grid("conv1_1").size(side)
    # "valid" needs a whole filter, and a mirror as many pixels beside the outermost one as the filter reaches.
    fits = {"valid": side >= size, "reflect": side > size // 2}.get(padding, True)
    assert (got > 0) == fits
    if fits and (padding != "circular" or side >= size // 2):
        image = jax.ShapeDtypeStruct((side, side + 3, 3), jnp.float32)
        maps = jax.eval_shape(lambda x: extractor.apply(extractor.weights, x, ("conv1_1",)), image)["conv1_1"]
        assert maps.shape == (got, extractor.grid("conv1_1").size(side + 3), 1)


def test_only_needed_layers_are_computed():
    extractor, image = features.random(channels=4), jnp.zeros((16, 16, 3))
    for layers, count in ((("pixels",), 0), (("conv1_1",), 1), (("conv1_1", "pixels"), 1)):
        text = str(jax.make_jaxpr(lambda x, layers=layers: extractor.apply(extractor.weights, x, layers))(image))
        assert text.count("conv_general_dilated") == count, layers


@pytest.mark.parametrize("setting", [{"size": 4}, {"size": 0}, {"size": -3}, {"channels": 0}])
def test_impossible_numbers_are_refused(setting: dict[str, Any]):
    with pytest.raises(errors.TexjaxError, match=str(next(iter(setting.values())))):
        features.random(**setting)


def test_unknown_names_are_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'circular'"):
        features.random(padding="circula")
    with pytest.raises(errors.TexjaxError, match="did you mean 'conv1_1'"):
        features.random(channels=1).grid("conv1")
