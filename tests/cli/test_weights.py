"""The `texjax weights` command, from its arguments to what it prints and writes."""

import argparse
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from texjax import errors
from texjax.cli import weights
from texjax.features.weights import catalog, files, origins


@pytest.fixture
def texjax(capsys, monkeypatch, tmp_path):
    """Run the command with given arguments and return what it prints; no folder of the user is looked into."""
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
    for name in list(origins.names("vgg19").values())[:3]:
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


def test_fetch_of_a_file_that_is_there(texjax, tmp_path, monkeypatch):
    file = catalog.FILES["vgg19"]._replace(checksum="md5:" + hashlib.md5(b"x").hexdigest())
    monkeypatch.setitem(catalog.FILES, "vgg19", file)
    (tmp_path / file.filename).write_bytes(b"x")
    assert f"{tmp_path / file.filename} (checksum verified; license: CC BY 4.0" in texjax(
        "fetch", "vgg19", "--to", tmp_path
    )


def test_convert_keeps_the_origin(texjax, weight_file, tmp_path):
    assert "out.safetensors" in texjax("convert", weight_file, tmp_path / "out.safetensors", "--network", "vgg19")
    got = files.read(tmp_path / "out.safetensors")
    np.testing.assert_array_equal(got.layers["conv2_1"]["kernel"], files.read(weight_file).layers["conv2_1"]["kernel"])
    assert got.metadata["source_sha256"] == catalog.digest(weight_file)
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
    monkeypatch.setitem(catalog.FILES, "vgg19", file._replace(checksum="sha256:" + catalog.digest(weight_file)[:8]))
    assert "that of the published vgg19" in texjax("verify", weight_file)


def test_normalize(texjax, weight_file, tmp_path):
    picture = np.random.default_rng(1).integers(0, 255, (20, 24, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    texjax("normalize", weight_file, tmp_path / "n.safetensors", "--pictures", tmp_path / "picture.png")
    got = files.read(tmp_path / "n.safetensors")
    assert got.metadata["normalized"] == "photographs"
    assert got.metadata["pictures"] == "1"
    assert not np.allclose(got.layers["conv1_1"]["bias"], files.read(weight_file).layers["conv1_1"]["bias"])
    with pytest.raises(errors.TexjaxError, match="normalized already"):
        texjax("normalize", tmp_path / "n.safetensors", tmp_path / "m.safetensors", "--pictures", tmp_path)


def test_the_bar_follows_a_download():
    with weights.Bar("x") as bar:
        for total in (10, 4):
            bar.total = total
            bar.update(3)
            assert (bar.total, bar._bar.tasks[0].completed) == (total, 3)
        bar.reset()
        bar.update(4)
        bar.close()
        assert bar._bar.tasks[0].finished


def test_the_parser_needs_no_jax():
    code = "import sys, argparse, texjax.weights as w; w.add_parser(argparse.ArgumentParser().add_subparsers()); "
    subprocess.run([sys.executable, "-c", code + "assert 'jax' not in sys.modules"], check=True)
