"""The network that ships: its file, and its first layers against SciPy."""

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
    assert catalog.digest(FILE) in README.read_text()


def test_layers_have_the_names_of_vgg19_down_to_conv3_4():
    made = features.compact()
    names = [name for name, _ in vgg.operations(vgg.VGG19, vgg.WIDTHS)]
    assert made.layers == ("pixels", *names[: names.index("pool3") + 1])


@pytest.mark.parametrize(("padding", "mode"), [("circular", "wrap"), ("reflect", "mirror")])
def test_equals_scipy(padding: str, mode: str):
    """pool1: two convolutions with ReLU, the mean of 2 x 2, and the readout; from the file's own arrays."""
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
    made = features.compact(padding=padding)
    got = made.apply(made.weights, jnp.asarray(image), ("pool1",))["pool1"]
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-4, atol=1e-4 * np.abs(want).max())
