"""The shipped network: its file, and its first layers against SciPy."""

import hashlib
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import scipy.ndimage

from texjax import features
from texjax.features import vgg
from texjax.features.weights import catalog

FILE = catalog.project_folder() / vgg.COMPACT
README = Path(__file__).parents[2] / "weights" / "README.md"


def test_the_file_is_small_and_the_one_described():
    assert FILE.stat().st_size <= 4_000_000
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in README.read_text()


def test_layers_have_the_names_of_vgg19_down_to_pool3():
    assert features.compact().layers == (
        *("pixels", "conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2"),
        *("conv3_1", "conv3_2", "conv3_3", "conv3_4", "pool3"),
    )


@pytest.mark.parametrize(("padding", "mode"), [("circular", "wrap"), ("reflect", "mirror")])
def test_equals_scipy(padding: str, mode: str):
    """pool1 from the arrays in the file: two convolutions with ReLU, the mean of 2 x 2, and the readout."""
    image = np.random.default_rng(0).random((10, 12, 3)).astype(np.float32)
    arrays = {k: v.astype(np.float64) for k, v in safetensors.numpy.load_file(FILE).items()}
    x = image - arrays["mean"]
    for name in ("conv1_1", "conv1_2"):
        kernel = arrays[f"{name}.kernel"]
        inputs, outputs = kernel.shape[2:]
        planes = [
            sum(scipy.ndimage.correlate(x[..., i], kernel[..., i, o], mode=mode) for i in range(inputs))
            for o in range(outputs)
        ]
        x = np.maximum(np.stack(planes, -1) + arrays[f"{name}.bias"], 0)
    want = x.reshape(5, 2, 6, 2, -1).mean((1, 3)) @ arrays["conv1_2.readout"]
    extractor = features.compact(padding=padding)
    got = extractor.apply(extractor.weights, jnp.asarray(image), ("pool1",))["pool1"]
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
