"""The shipped configs of trainings, and the shipped generator."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import texjax
from experiments import exemplars
from texjax import checks, generators, losses, optimizers
from texjax import config as configs
from texjax.runs import inputs, networks
from texjax.synthesis import training

ROOT = Path(__file__).parent.parent
NAMES = configs.names("feedforward/*.py")


@pytest.mark.parametrize("name", NAMES)
def test_loads(name):
    for arg in ("", ":tiny"):
        config = configs.load(name + arg)
        checks.values(config)
        assert config.generator.name in generators.__all__ and config.optimizer.name in optimizers.__all__
        assert all(term.name in losses.NAMES for term in config.terms.values())
        assert config.max_iter <= 10 if arg else config.max_iter >= 1000
        generator = training.build_generator(config, 3, 1)
        assert all(side % generator.multiple == 0 for side in config.size)


@pytest.mark.slow
def test_the_config_trains(tmp_path):
    """The tiny variant, with the compact network and all octaves that it has, takes a step down."""
    config = configs.load("feedforward/texture:tiny")
    texjax.images.save(tmp_path / "a.png", exemplars.pebbles(96, 0))
    pictures = inputs.load(config, {"sources": [tmp_path / "a.png"]})
    losses = [now.loss for now in training.prepare(config, pictures).iterates]
    assert losses[-1] < losses[0]


def test_the_shipped_generator():
    """Its checksum is the documented one, and its pictures have about the colors and the contrast of the source."""
    path = ROOT / "weights" / "pebbles_generator.safetensors"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"`{digest}`" in (ROOT / "weights" / "README.md").read_text()
    assert path.stat().st_size <= 1e6
    network = networks.read(path)
    source, picture = exemplars.pebbles(256, 0), texjax.generate(network, size=(256, 256), seed=1)
    assert network.sources == ("pebbles.png",)
    np.testing.assert_allclose(picture.mean((0, 1)), source.mean((0, 1)), atol=0.05)
    np.testing.assert_allclose(picture.std((0, 1)), source.std((0, 1)), rtol=0.25)
