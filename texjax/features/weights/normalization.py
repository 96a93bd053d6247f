"""Gatys' normalization: every channel gets the mean activation 1 over photographs, and the network stays the same.

ReLU, average pooling and max pooling commute with a positive factor per channel. So dividing the output of a layer by m
and multiplying the input of the next layer by m changes the activations by that factor and nothing else. Afterwards one
loss weight fits all layers: in the network as trained, the activations of neighboring layers differ a hundredfold, and
the entries of their Gram matrices by the square.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from texjax import errors
from texjax.features.weights import catalog

SHIPPED = "vgg19_channel_means.safetensors"
FINGERPRINT = "conv1_1.bias"
# A channel whose mean is so small a part of its layer's average is dead on photographs: dividing by its mean would only
# amplify noise.
DEAD = 1e-4

Layers = Mapping[str, Any]
Means = dict[str, np.ndarray]


def rescale(weights: Layers, means: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the same network with the mean activation of every channel moved to 1 (Gatys et al. 2016, section 2).

    Args:
        weights: canonical weights, {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias": [out]}, ...}.
        means: {layer: [out]}, mean activations after the ReLU; a layer without means keeps the scale of its outputs.

    Raises:
        TexjaxError: where the means of a layer have another number of channels.

    References: https://doi.org/10.1109/CVPR.2016.265
    """
    scaled: dict[str, Any] = {"mean": weights["mean"]}
    incoming = np.ones(3, np.float32)
    for name in sorted(name for name in weights if name != "mean"):
        kernel, bias = weights[name]["kernel"], weights[name]["bias"]
        outgoing = _scales(name, means.get(name), kernel.shape[-1])
        # kernel[..., i, o] m_in[i] / m_out[o], bias[o] / m_out[o]
        kernel = kernel * incoming[:, None] / outgoing
        scaled[name] = {"kernel": kernel.astype(np.float32), "bias": (bias / outgoing).astype(np.float32)}
        incoming = outgoing
    return scaled


def _scales(name: str, means: np.ndarray | None, channels: int) -> np.ndarray:
    """The divisors m of a layer's channels: 1 for dead channels and where there are no means."""
    if means is None:
        return np.ones(channels, np.float32)
    if means.shape != (channels,):
        raise errors.TexjaxError(
            f"the means of {name} have shape {list(means.shape)}, but the layer has {channels} channels; measure them "
            "on these weights with `texjax weights normalize`."
        )
    return np.where(means > DEAD * means.mean(), means, 1).astype(np.float32)


def channel_means(
    apply: Callable[..., Mapping[str, Any]], weights: Any, images: Iterable[Any], layers: Iterable[str]
) -> Means:
    """Return the mean activation of every channel over images and positions; one image is in memory at a time.

    Args:
        apply: (weights, image [h, w, 3], layers) -> {layer: [h', w', c]}, as that of an extractor.
        weights: the first argument of `apply`.
        images: any iterable of [h, w, 3]; each size is compiled once.
        layers: names of layers.

    Returns:
        {layer: float32 [c]}.

    Raises:
        TexjaxError: without images.
    """
    import jax

    layers = tuple(layers)

    @jax.jit
    def measure(weights, image):
        features = apply(weights, image, layers)
        # The number of positions weights the mean: larger pictures count for more.
        return {name: (features[name].mean((0, 1)), features[name][..., 0].size) for name in layers}

    sums, counts = dict.fromkeys(layers, np.zeros(1)), dict.fromkeys(layers, 0)
    for image in images:
        for name, (mean, count) in measure(weights, image).items():
            sums[name] = sums[name] + np.asarray(mean, np.float64) * int(count)
            counts[name] += int(count)
    if not all(counts.values()):
        raise errors.TexjaxError("channel means need at least one picture and got none; give pictures or folders.")
    return {name: np.asarray(sums[name] / counts[name], np.float32) for name in layers}


def shipped_means(network: str, weights: Layers | None = None) -> Means:
    """Return the shipped channel means: of the original (Caffe) VGG-19, blocks 1 to 3, over 1000 photographs.

    Args:
        network: "vgg19"; no other network has shipped means.
        weights: canonical weights to be normalized, which must be the ones that were measured, in whatever file.

    Raises:
        TexjaxError: for a network or weights without shipped means, and where the file of the means is missing.
    """
    path = catalog.project_folder() / SHIPPED
    if network != "vgg19":
        raise _no_means(network)
    means = load(path)
    fingerprint = means.pop(FINGERPRINT)
    bias = fingerprint if weights is None else weights["conv1_1"]["bias"]
    if bias.shape != fingerprint.shape or not np.allclose(bias, fingerprint, rtol=1e-3, atol=1e-5):
        raise _no_means("these weights, which are not the original (Caffe) VGG-19")
    return means


def load(path: Path) -> Means:
    """Return the channel means in a file. Raises TexjaxError where it is missing or damaged."""
    try:
        catalog.check(path)
        return dict(safetensors.numpy.load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise errors.TexjaxError(
            f"the channel means {path} cannot be read ({error}); reinstall texjax or set features.normalize=False."
        ) from error


def _no_means(what: str) -> errors.TexjaxError:
    return errors.TexjaxError(
        f"no channel means are shipped for {what}; measure them with `texjax weights normalize` and use the file it "
        "writes, or set features.normalize=False."
    )
