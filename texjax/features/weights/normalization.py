"""Gatys' normalization: every channel's mean activation over photographs becomes one, and the function stays the same.

ReLU, average and max pooling commute with a positive factor per channel, so dividing what a layer gives by m and
multiplying what the next layer takes by m changes no output but by that factor. Then one weight fits all layers: in the
network as trained the activations of neighboring layers differ a hundredfold, and a Gram's entries by the square.
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
# A channel that is this much weaker than its layer's average is dead on photographs; to divide by its mean would only
# amplify noise.
DEAD = 1e-4

Layers = Mapping[str, Any]
Means = dict[str, np.ndarray]


def rescale(weights: Layers, means: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The same network with every channel's mean activation moved to one (Gatys et al. 2016, section 2).

    weights: canonical weights, {"mean": [3], "conv1_1": {"kernel": [3, 3, in, out], "bias": [out]}, ...} in the
        order in which the layers follow each other.
    means: {layer: [c]} mean activation after the ReLU; a layer that is missing keeps its outputs.
    Raises TexjaxError where a layer and its means differ in channels.

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
    """Mean activation of every channel over images and positions, one image in memory at a time.

    apply: (weights, image [h, w, 3], layers) -> {layer: [h', w', c]}, an extractor's.
    images: any iterable of [h, w, 3]; one compilation for each size.
    Returns {layer: float32 [c]}. Raises TexjaxError without images.
    """
    import jax

    layers = tuple(layers)

    @jax.jit
    def measure(weights, image):
        features = apply(weights, image, layers)
        # A size is a constant of the compiled program: larger pictures count for more.
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
    """The measured means that come with texjax: the original (Caffe) VGG-19, blocks 1 to 3, over 1000 photographs.

    weights: where given, they must be those that were measured, however they were stored.
    Raises TexjaxError for a network or weights without shipped means, and where the file is missing.
    """
    path = catalog.project_folder() / SHIPPED
    if network != "vgg19":
        raise _without(network)
    means = load(path)
    fingerprint = means.pop(FINGERPRINT)
    bias = fingerprint if weights is None else weights["conv1_1"]["bias"]
    if bias.shape != fingerprint.shape or not np.allclose(bias, fingerprint, rtol=1e-3, atol=1e-5):
        raise _without("these weights, which are not the original (Caffe) VGG-19")
    return means


def load(path: Path) -> Means:
    """Channel means from a file. Raises TexjaxError where it is missing or damaged."""
    try:
        return dict(safetensors.numpy.load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise errors.TexjaxError(
            f"the channel means {path} cannot be read ({error}); reinstall texjax or set features.normalize=False."
        ) from error


def _without(what: str) -> errors.TexjaxError:
    return errors.TexjaxError(
        f"no channel means are shipped for {what}; measure them with `texjax weights normalize` and use the file it "
        "writes, or set features.normalize=False."
    )
