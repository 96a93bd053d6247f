"""The `texjax weights` command, from its arguments to what it prints and writes."""

import argparse
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import scipy.ndimage
from PIL import Image

from texjax import errors
from texjax.cli import weights
from texjax.features.weights import catalog, files


@pytest.fixture
def texjax(capsys, monkeypatch, tmp_path):
    """Run the command with given arguments and return what it prints; no folder of the user is searched."""
    for variable in ("KERAS_HOME", "TORCH_HOME", "TEXJAX_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))

    def call(*arguments: object) -> str:
        parser = argparse.ArgumentParser()
        weights.add_parser(parser.add_subparsers(dest="command"))
        weights.run(parser.parse_args(["weights", *map(str, arguments)]))
        return capsys.readouterr().out

    return call


@pytest.fixture
def weight_file(tmp_path):
    """Canonical weights of a narrow VGG-19 up to conv2_1, as safetensors."""
    rng, channels = np.random.default_rng(0), 3
    layers: dict[str, Any] = {"mean": np.full(3, 0.5, np.float32)}
    for name in ("conv1_1", "conv1_2", "conv2_1"):
        kernel, bias = rng.normal(size=(3, 3, channels, 4)), rng.normal(size=4) + 1
        layers[name], channels = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}, 4
    files.write(tmp_path / "small.safetensors", layers, {"network": "vgg19", "preprocessing": "caffe"})
    return tmp_path / "small.safetensors"


def test_list(texjax, tmp_path):
    out = texjax("list")
    for name, file in catalog.FILES.items():
        assert f"\n{name} " in out
        assert not file.urls or f"texjax weights fetch {name}\n" in out
    assert f"{tmp_path / 'TEXJAX_CACHE' / 'weights'}\n" in out


def test_fetch_of_a_file_that_exists_already(texjax, tmp_path, monkeypatch):
    file = catalog.FILES["vgg19"]._replace(checksum="md5:" + hashlib.md5(b"x").hexdigest())
    monkeypatch.setitem(catalog.FILES, "vgg19", file)
    (tmp_path / file.filename).write_bytes(b"x")
    assert f"{tmp_path / file.filename} (checksum verified; license: CC BY 4.0" in texjax(
        "fetch", "vgg19", "--to", tmp_path
    )


def test_convert_keeps_the_origin(texjax, weight_file, tmp_path):
    assert "out.safetensors" in texjax("convert", weight_file, tmp_path / "out.safetensors", "--network", "vgg19")
    got, original = files.read(tmp_path / "out.safetensors"), safetensors.numpy.load_file(weight_file)
    np.testing.assert_array_equal(got.layers["conv2_1"]["kernel"], original["conv2_1.kernel"])
    assert got.metadata["source_sha256"] == hashlib.sha256(weight_file.read_bytes()).hexdigest()
    with pytest.raises(errors.TexjaxError, match=r"ends in \.safetensors"):
        texjax("convert", weight_file, tmp_path / "out.h5")


def test_verify(texjax, weight_file, monkeypatch):
    out = texjax("verify", weight_file)
    assert "3 x 3 x 3 x 4" in out
    assert "of no published file" in out
    file = catalog.FILES["vgg19"]._replace(filename=weight_file.name)
    monkeypatch.setitem(catalog.FILES, "vgg19", file)
    with pytest.raises(errors.TexjaxError, match="name of vgg19 but not its checksum"):
        texjax("verify", weight_file)
    digits = hashlib.sha256(weight_file.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(catalog.FILES, "vgg19", file._replace(checksum=f"sha256:{digits}"))
    assert "that of the published vgg19" in texjax("verify", weight_file)


def scipy_layer(x: np.ndarray, layers: dict[str, np.ndarray], name: str) -> np.ndarray:
    """[h, w, i] -> [h, w, o]: a convolution with zero padding, and ReLU."""
    kernel = layers[f"{name}.kernel"]
    planes = [
        sum(scipy.ndimage.correlate(x[..., i], kernel[..., i, o], mode="constant") for i in range(kernel.shape[2]))
        for o in range(kernel.shape[3])
    ]
    return np.maximum(np.stack(planes, -1) + layers[f"{name}.bias"], 0)


def test_normalize(texjax, weight_file, tmp_path):
    picture = np.random.default_rng(1).integers(0, 255, (20, 24, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    texjax("normalize", weight_file, tmp_path / "n.safetensors", "--pictures", tmp_path / "picture.png")
    layers = safetensors.numpy.load_file(tmp_path / "n.safetensors")
    first = scipy_layer(picture / 255 - layers["mean"], layers, "conv1_1")
    for activations in (first, scipy_layer(first, layers, "conv1_2")):
        np.testing.assert_allclose(activations.mean((0, 1)), 1, rtol=1e-4)
    metadata = files.read(tmp_path / "n.safetensors").metadata
    assert (metadata["normalized"], metadata["pictures"]) == ("photographs", "1")
    with pytest.raises(errors.TexjaxError, match="normalized already"):
        texjax("normalize", tmp_path / "n.safetensors", tmp_path / "m.safetensors", "--pictures", tmp_path)


def test_the_bar_shows_the_progress_of_a_download():
    with weights.Bar("x") as bar:
        for total in (10, 4):
            bar.total = total
            bar.update(3)
            assert (bar.total, bar._bar.tasks[0].completed) == (total, 3)
        bar.reset()
        bar.update(4)
        bar.close()
        assert bar._bar.tasks[0].finished


def test_the_parser_imports_no_jax():
    code = "import sys, argparse, texjax.cli.weights as w; w.add_parser(argparse.ArgumentParser().add_subparsers()); "
    subprocess.run([sys.executable, "-c", code + "assert 'jax' not in sys.modules"], check=True)
