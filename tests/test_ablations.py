"""The ablations: each sweeps all that there is of its kind, and every run that it declares can be run."""

import importlib
import itertools
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors, features, losses, optimizers, types
from texjax.features import vgg
from texjax.losses import joins
from texjax.optimizers import ranges
from texjax.runs import inputs, run
from texjax.sweeps import entries
from texjax.synthesis import optimize

COUNTS = {  # number of runs, as the docstrings of the configs say
    "ablations/analysis": 5,
    "ablations/autocorrelation": 4,
    "ablations/guided_correspondence": 3 * 2,
    "ablations/joins": 4,
    "ablations/layers": 12 + 4,
    "ablations/mrf": 3 * 3,
    "ablations/network": 4,
    "ablations/normalization": 4,
    "ablations/octaves": 5,
    "ablations/octaves_layers": 2 * 3 * 2,
    "ablations/optimizer": 3 * 4 + 2,
    "ablations/padding": 4 * 2,
    "ablations/pooling": 2 * 3,
    "ablations/precision": 2,
    "ablations/shifted_gram": 4 + 3,
    "ablations/spectrum": 4,
    "ablations/sliced_wasserstein": 3 * 3,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with two pictures, 160 x 144 px, of noise on stripes that become narrower and do not repeat."""
    path, rng = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    for name, period in (("a", 6), ("b", 8)):
        stripes = 128 + 90 * np.sin((np.arange(144) / period) ** 1.7)[:, None, None] * np.array([1, 0.5, -0.5])
        pixels = np.clip(stripes + rng.normal(0, 12, (144, 160, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(path / f"{name}.png")
    return path


def overrides(name: str) -> list[dict[str, Any]]:
    """What the ablation of that name adds, run by run."""
    added: list[dict[str, Any]] = []
    configs.sweep(f"ablations/{name}")(lambda **of_run: added.append(of_run))
    return added


def test_there_are_ablations():
    assert configs.names("ablations/*.py") == sorted(COUNTS)


@pytest.mark.parametrize("arg", ["", ":tiny"])
@pytest.mark.parametrize("name", COUNTS)
def test_every_run_can_be_run(name: str, arg: str, folder: Path, random_vgg19: Path):
    declared = entries.declared(entries.Request(name + arg, [], [str(folder)]))
    assert len(declared) == COUNTS[name]
    assert len({entry.config.to_json(sort_keys=True) for entry in declared}) == COUNTS[name]
    for entry in declared:
        assert max(entry.config.size) == (72 if arg else 256)
        assert entry.config.max_iter <= (6 if arg else 100)
        config = entry.config
        if config.features.name in ("vgg16", "vgg19"):  # random weights stand in for theirs
            config = configs.overridden(config, {"features.name": "vgg19", "features.weights": str(random_vgg19)})
        optimize.check(config, inputs.load(config, entry.pictures), entry.pictures)


@pytest.mark.parametrize("name", [n for n in COUNTS if n != "ablations/network"])
def test_another_network(name: str):
    assert configs.load(f"{name}:network=vgg19").features.name == "vgg19"


def test_nothing_of_its_kind_is_left_out():
    added = {name: overrides(name) for name in ("joins", "normalization", "pooling", "padding", "network", "layers")}
    # "riemann" is another name of "affine_invariant".
    assert {o["terms.gram.join"] for o in added["joins"]} == set(joins.NAMES) - {"riemann"}
    normalizations = importlib.import_module("texjax.losses.gram").NORMALIZATIONS  # the function has the module's name
    assert {o["terms.gram.normalization"] for o in added["normalization"]} == set(normalizations)
    assert {o["features.pool"] for o in added["pooling"]} == set(vgg.POOLS)
    assert {o["features.padding"] for o in added["padding"]} == set(vgg.PADDINGS)
    networks = [o["arg"].removeprefix("network=") if "arg" in o else o["features"]["name"] for o in added["network"]]
    assert sorted(networks) == sorted(features.__all__)
    layers_alone = [o["terms.gram.layers"] for o in added["layers"] if len(o["terms.gram.layers"]) == 1]
    assert layers_alone == [{layer: 1.0} for layer in features.compact().layers]


def test_every_optimizer_with_every_range_that_it_can_do():
    possible = []
    for name, handling in itertools.product(optimizers.__all__, ranges.RANGES):
        try:
            getattr(optimizers, name)(lambda images: images, range=handling)
        except errors.TexjaxError:
            continue
        possible.append((name, handling))
    declared = [(o["optimizer"]["name"], o["optimizer"]["range"]) for o in overrides("optimizer")]
    assert sorted(declared) == sorted(possible)


def test_two_normalizations_differ_by_a_factor():
    """The docstring of the ablation says a quarter."""
    rng = np.random.default_rng(1)
    image, source = (
        types.View(0, "conv1_1", 1.0, jnp.asarray(rng.random((1, 6, 5, 4)), jnp.float32)) for _ in range(2)
    )
    values = {}
    for name in ("gatys", "pixels_channels"):
        loss = losses.gram(normalization=name)
        values[name] = float(loss.value([image], loss.join([loss.summarize([source])])))
    assert values["gatys"] == pytest.approx(values["pixels_channels"] / 4, rel=1e-6)


def test_one_runs(folder: Path, tmp_path: Path):
    request = entries.Request("ablations/layers:tiny", ["--config.max_iter=2"], [str(folder / "a.png")])
    entry = entries.declared(request)[0]
    result = run.synthesize(entry.config, entry.pictures, lambda parts: tmp_path)
    assert (result.status, result.steps) == ("finished", 2)
    pixels = np.asarray(Image.open(result.paths[0]))
    assert pixels.shape == (72, 72, 3) and pixels.std() > 1
