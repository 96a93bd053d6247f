"""A small generator, trained in a few steps by random filters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax.runs import networks, run


def config_of(**changes: Any) -> configs.Config:
    """32 px, two octaves of random filters, two pictures a step, 6 steps, and a checkpoint after every second one."""
    common: dict[str, Any] = {
        "features": {"name": "random", "channels": 4, "size": 3, "padding": "circular"},
        "terms": {"gram": {"name": "gram", "layers": {"pixels": 1.0, "conv1_1": 1.0}}},
        "generator": {"name": "pyramid", "widths": (4, 6)},
        "size": (32, 32),
        "max_iter": 6,
        "save_every": 2,
        "checkpoint_steps": 2,
        "source.flatten": "none",
    }
    return configs.overridden(configs.load("feedforward/texture:tiny"), common | changes)


@pytest.fixture(scope="session")
def training_config() -> Callable[..., configs.Config]:
    return config_of


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> list[Path]:
    """A reddish and a bluish texture of noise, 40 x 48 px."""
    folder, rng = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    paths = []
    for name, color in (("red", (180, 60, 50)), ("blue", (40, 70, 190))):
        pixels = np.clip(np.array(color) + rng.normal(0, 25, (48, 40, 1)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")
        paths.append(folder / f"{name}.png")
    return paths


@pytest.fixture(scope="session")
def trained(tmp_path_factory, sources) -> Path:
    """The network of both sources after a few steps."""
    where = tmp_path_factory.mktemp("trained")
    result = run.synthesize(config_of(), {"sources": sources}, lambda parts: where)
    assert result.status == "finished"
    return where / "network.safetensors"


@pytest.fixture(scope="session")
def network(trained) -> networks.Network:
    return networks.read(trained)
