"""Normalized networks: every mean activation is 1, and the networks compute the same up to these factors."""

import jax
import numpy as np
import pytest

from texjax import errors, images
from texjax.features import vgg
from texjax.features.weights import files, normalization

NAMES = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4", "conv4_1")


def network(seed: int = 0) -> dict:
    """Weights of VGG-19 with 6 to 12 channels, up to conv4_1, with activations of very different sizes."""
    rng, channels = np.random.default_rng(seed), 3
    layers: dict = {"mean": np.full(3, 0.5, np.float32)}
    for name in NAMES:
        width = 4 + 2 * int(name[4])
        kernel = rng.normal(size=(3, 3, channels, width)) * rng.uniform(0.1, 10, width)
        bias = rng.normal(size=width) + 1
        layers[name], channels = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}, width
    return layers


def extractor(weights, pool="average", padding="same"):
    return vgg.extractor(weights, vgg.VGG19, pool=pool, padding=padding, precision="float32")


def test_rescaling_is_a_factor_of_each_kernel_and_bias():
    """kernel[..., i, o] m_in[i] / m_out[o] and bias[o] / m_out[o], entry by entry."""
    weights, rng = network(), np.random.default_rng(3)
    means = {name: rng.uniform(0.01, 300, len(weights[name]["bias"])) for name in ("conv1_1", "conv1_2")}
    scaled = normalization.rescale(weights, means)
    incoming = {"conv1_1": [1] * 3, "conv1_2": means["conv1_1"], "conv2_1": means["conv1_2"]}
    for name, factors in incoming.items():
        outgoing = means.get(name, np.ones(len(weights[name]["bias"])))
        np.testing.assert_allclose(scaled[name]["bias"], weights[name]["bias"] / outgoing, rtol=1e-6)
        for i, factor in enumerate(factors):
            for o, divisor in enumerate(outgoing):
                want = weights[name]["kernel"][..., i, o] * factor / divisor
                np.testing.assert_allclose(scaled[name]["kernel"][..., i, o], want, rtol=1e-6)
    np.testing.assert_array_equal(scaled["conv2_2"]["kernel"], weights["conv2_2"]["kernel"])


@pytest.mark.parametrize(("pool", "padding"), [("average", "same"), ("max", "valid"), ("average", "circular")])
def test_activations_change_by_the_means_alone(pool, padding):
    weights, rng = network(), np.random.default_rng(1)
    image = rng.uniform(size=(80, 91, 3)).astype(np.float32)
    layers = tuple(name for name in weights if name != "mean")
    # conv2_2 and conv4_1 have no means: they keep their outputs.
    means = {
        name: rng.uniform(0.01, 300, len(weights[name]["bias"])).astype(np.float32)
        for name in layers
        if name not in ("conv2_2", "conv4_1")
    }
    scaled = normalization.rescale(weights, means)
    expected = jax.jit(extractor(weights, pool, padding).apply, static_argnums=2)(weights, image, (*layers, "pool3"))
    got = jax.jit(extractor(scaled, pool, padding).apply, static_argnums=2)(scaled, image, (*layers, "pool3"))
    for name in (*layers, "pool3"):
        factor = means.get({"pool3": "conv3_4"}.get(name, name), np.ones(1, np.float32))
        error = np.abs(np.asarray(got[name]) * factor - np.asarray(expected[name])).max()
        assert error < 1e-5 * np.abs(np.asarray(expected[name])).max()
        np.testing.assert_array_equal(weights["mean"], scaled["mean"])


def test_every_mean_of_the_rescaled_network_is_one():
    weights, rng = network(), np.random.default_rng(2)
    pictures = [rng.uniform(size=size).astype(np.float32) for size in ((40, 32, 3), (48, 33, 3))]
    layers = ("conv1_1", "conv2_2", "conv4_1")
    net = extractor(weights)
    every = [name for name in weights if name != "mean"]
    means = normalization.channel_means(net.apply, net.weights, iter(pictures), every)
    scaled = normalization.rescale(weights, means)
    again = normalization.channel_means(net.apply, scaled, pictures, layers)
    for name in layers:
        alive = means[name] > normalization.DEAD * means[name].mean()
        np.testing.assert_allclose(again[name][alive], 1, rtol=1e-4)


def test_means_count_positions_and_not_pictures():
    pictures = [np.full((2, 2, 3), 0.0, np.float32), np.full((2, 6, 3), 1.0, np.float32)]
    means = normalization.channel_means(lambda _, image, layers: {"pixels": image}, None, pictures, ["pixels"])
    np.testing.assert_allclose(means["pixels"], [0.75] * 3)
    with pytest.raises(errors.TexjaxError, match="at least one picture"):
        normalization.channel_means(lambda _, image, layers: {"pixels": image}, None, [], ["pixels"])


def test_a_dead_channel_keeps_its_scale():
    weights = network()
    means = {"conv1_1": np.array([0, 1e-9, 2, 4, 4, 4], np.float32)}
    scaled = normalization.rescale(weights, means)
    np.testing.assert_allclose(scaled["conv1_1"]["bias"], weights["conv1_1"]["bias"] / [1, 1, 2, 4, 4, 4], rtol=1e-6)
    with pytest.raises(errors.TexjaxError, match=r"shape \[3\], but the layer has 6 channels"):
        normalization.rescale(weights, {"conv1_1": np.ones(3, np.float32)})


def test_the_shipped_means():
    means = normalization.shipped_means("vgg19")
    assert list(means) == list(NAMES[:8])
    assert [mean.size for mean in means.values()] == [64, 64, 128, 128, 256, 256, 256, 256]
    assert all((mean > 0).all() for mean in means.values())
    with pytest.raises(errors.TexjaxError, match="no channel means are shipped for vgg16"):
        normalization.shipped_means("vgg16")
    with pytest.raises(errors.TexjaxError, match="not the original"):
        normalization.shipped_means("vgg19", {"conv1_1": {"bias": np.zeros(64, np.float32)}})


def test_a_damaged_file_of_means(tmp_path):
    (tmp_path / "x").write_bytes(b"damaged")
    with pytest.raises(errors.TexjaxError, match=r"cannot be read .*features\.normalize=False"):
        normalization.load(tmp_path / "x")


def test_the_shipped_means_are_those_of_photographs(test_data):
    weights = files.read(test_data / "weights" / "vgg19_notop_block1-3.h5").layers
    means = normalization.shipped_means("vgg19", weights)
    photographs = sorted((test_data / "train").glob("*.jpg"))[::250] if (test_data / "train").is_dir() else []
    if not photographs:
        pytest.skip("the test data has no folder train/ of photographs")
    net = extractor(weights)
    measured = normalization.channel_means(net.apply, net.weights, map(images.load, photographs), list(means))
    for name, mean in means.items():
        # Four photographs: a layer's average strength within a half, channels in the same order of strength.
        assert 0.5 < measured[name].mean() / mean.mean() < 2
        assert np.corrcoef(np.log(measured[name] + 1), np.log(mean + 1))[0, 1] > 0.6
