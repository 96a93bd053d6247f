"""The shipped configs: each loads, and its `:tiny` runs from a picture to a picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from texjax import checks
from texjax import config as configs
from texjax.runs import run
from texjax.synthesis import schedule

# What the configs that need a file of weights take it from, in the folder of test data.
WEIGHTS = {"snelgrove": "weights/vgg19_notop_block1-3.h5"}
SLOW = {"analogies", "cnnmrf", "cnnmrf_transfer", "snelgrove"}  # over ten seconds


@pytest.fixture
def picture(tmp_path) -> Path:
    """80 x 80 px of stripes with noise."""
    rng = np.random.default_rng(0)
    stripes = 128 + 90 * np.sin(np.arange(80) / 3)[:, None, None] * np.array([1, 0.5, -0.5])
    pixels = np.clip(stripes + rng.normal(0, 12, (80, 80, 3)), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


def test_there_are_configs():
    assert {"random", "snelgrove", "texture"} <= set(configs.names())


@pytest.mark.parametrize("name", configs.names())
@pytest.mark.parametrize("arg", ["", ":tiny"])
def test_loads(name: str, arg: str):
    config = configs.load(name + arg)
    checks.values(config)
    assert config.is_locked
    for key in configs.defaults():
        assert key in config, key
    for key in ("features", "terms", "init"):
        assert key in config, key
    full = configs.load(name)
    assert config.octaves <= full.octaves
    if arg:
        assert config.max_iter <= 10
        assert max(config.size) <= 80 < min(full.size)


@pytest.mark.parametrize("name", configs.names())
def test_gram_terms_have_the_keys_of_joins(name: str):
    for term in configs.load(name).terms.values():
        if term.name == "gram":
            assert {"join", "join_weights", "join_position", "join_regularization"} <= set(term)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in configs.names()])
def test_tiny_runs(name: str, picture: Path, tmp_path: Path, request):
    words = []
    if name in WEIGHTS:
        words = [f"--config.features.weights={request.getfixturevalue('test_data') / WEIGHTS[name]}"]
    config = configs.load(f"{name}:tiny", words)
    where = tmp_path / "run"
    where.mkdir()
    looked_at = {term.get("of", "sources") for term in config.terms.values() if term.weight}
    content = tmp_path / "content.png"
    Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(content)
    others = {"content": [content], "analogy": [content, picture, content]}
    others = {of: paths for of, paths in others.items() if of in looked_at}
    result = run.synthesize(config, [picture], lambda made: where, others=others)
    assert (result.status, result.steps) == ("finished", schedule.total(config))
    for path in result.paths:
        if path.suffix in (".webp", ".gif"):
            with Image.open(path) as movie:
                assert len(list(ImageSequence.Iterator(movie))) == config.frames > 1
    pictures = [path for path in result.paths if path.stem != "animation"]
    assert len(pictures) == config.frames
    pixels = np.stack([np.asarray(Image.open(path)) for path in pictures])
    assert pixels.shape == (config.frames, config.size[1], config.size[0], 3)
    losses = [json.loads(line)["loss"] for line in (where / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == schedule.total(config) + 1
    assert losses[-1] == pytest.approx(result.loss, rel=1e-5)
    assert losses[-1] < losses[-config.max_iter]  # of the last scale
    assert (pixels.std((1, 2, 3)) > 1).all()
