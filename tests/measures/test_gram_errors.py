"""Relative Gram errors against NumPy, with a linear network."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, features, measures, types

KERNEL = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05])  # Burt & Adelson (1983), a = 0.4
LAYERS = ("mixed", "half")


def network() -> types.Extractor:
    """Return a network of two layers: a linear map of each pixel, and every other pixel of its output."""

    def apply(weights, image, layers):
        mixed = jnp.einsum("hwi,ic->hwc", image, weights, precision="highest")
        return {layer: mixed if layer == "mixed" else mixed[::2, ::2] for layer in layers}

    def grid(layer):
        step = 1 + LAYERS.index(layer)
        return types.Grid(step, 1, 0, lambda n: -(-n // step))

    return types.Extractor(jnp.asarray(KERNEL), apply, LAYERS, grid)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def moments(image: np.ndarray, layer: str) -> np.ndarray:
    """Return F^T F / pixels in float64."""
    flat = (image[::2, ::2] if layer == "half" else image).reshape(-1, 3) @ KERNEL.astype(np.float64)
    return flat.T @ flat / len(flat)


def reduced(image: np.ndarray) -> np.ndarray:
    """Blur by the five taps without padding, and keep every other pixel."""
    h, w = ((n - 5) // 2 for n in image.shape[:2])
    x = image.astype(np.float64)
    return sum(TAPS[i] * TAPS[j] * x[i : i + 2 * h + 1 : 2, j : j + 2 * w + 1 : 2] for i in range(5) for j in range(5))  # pyright: ignore


def test_equals_numpy():
    result, sources = picture(20, 17), [picture(15, 22, 1) ** 2, picture(19, 12, 2)]
    got = measures.gram_errors(network(), result, sources, layers=LAYERS, octaves=2)
    for layer in LAYERS:
        want = []
        for octave in (lambda x: x, reduced):
            target = np.mean([moments(octave(source), layer) for source in sources], 0)
            want.append(np.linalg.norm(moments(octave(result), layer) - target) / np.linalg.norm(target))
        assert got[layer] == pytest.approx(np.mean(want), rel=1e-4)
    assert list(got) == list(LAYERS)


def test_brighter_and_black_images_by_hand():
    # Features three times as large have nine times the moments, an error of 8. Black has no moments, an error of 1.
    source = picture(12, 12)
    assert measures.gram_errors(network(), 3 * source, [source], layers=["mixed"], octaves=1) == {
        "mixed": pytest.approx(8, rel=1e-5)
    }
    assert measures.gram_errors(network(), 0 * source, [source], layers=["mixed"], octaves=1) == {
        "mixed": pytest.approx(1, rel=1e-6)
    }


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_error_for_the_source_itself_nor_for_its_pixels_shuffled(seed: int):
    source = picture(8, 6, seed)
    shuffled = np.random.default_rng(seed).permutation(source.reshape(-1, 3)).reshape(6, 8, 3)
    assert measures.gram_errors(network(), source, [source, source], layers=LAYERS, octaves=1) == dict.fromkeys(
        LAYERS, 0
    )
    assert measures.gram_errors(network(), shuffled, [source], layers=["mixed"], octaves=1)["mixed"] < 1e-6


@pytest.mark.parametrize(
    ("sides", "octaves", "padding", "fitting"),
    # A filter of 11 pixels needs as many. The octaves have sides 48, 22, 9 (valid), or 48, 24, 12, 6 (reflect).
    [([48], 5, "valid", 2), ([48, 10], 5, "valid", 0), ([48], 5, "reflect", 3), ([48], 1, "valid", 1)],
)
def test_octaves_that_fit(sides, octaves, padding, fitting):
    extractor = features.random(size=11, channels=1)
    assert measures.fitting_octaves(extractor, sides, layers=["conv1_1"], octaves=octaves, padding=padding) == fitting
    with pytest.raises(errors.TexjaxError, match="did you mean 'conv1_1'"):
        measures.fitting_octaves(extractor, sides, layers=["conv1_2"], octaves=octaves, padding=padding)
