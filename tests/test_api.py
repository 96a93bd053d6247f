"""`import texjax`: arrays and paths in, arrays out, and the same errors as on the command line."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import texjax
from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.runs import run
from texjax.synthesis import build

TINY: dict[str, Any] = {
    "config": "random:tiny",
    "optimizer": {"name": "adam", "learning_rate": 0.01},  # quickest to compile
    "max_iter": 4,
}


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Waves and noise, float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(width) / 3)[None, :, None] * np.sin(np.arange(height) / 4)[:, None, None]
    return (0.5 + 0.2 * waves + rng.normal(0, 0.05, (height, width, 3))).clip(0, 1).astype(np.float32)


SOURCE = (texture(64, 80) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "a.png"
    Image.fromarray(SOURCE).save(path)
    return path


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return texjax.synthesize(SOURCE, seed=3, **TINY)


def test_one_picture(image):
    assert (image.shape, image.dtype) == ((48, 48, 3), np.float32)
    assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.005


def test_the_picture_is_that_of_the_command(image, path, tmp_path):
    words = ["--config", "random:tiny", "--config.optimizer={'name': 'adam', 'learning_rate': 0.01}", "-m", "4"]
    with pytest.raises(SystemExit) as end:
        main.main(["synthesize", str(path), *words, "--random-seed", "3", "--run-dir", str(tmp_path / "run")])
    assert end.value.code == 0
    pixels = np.asarray(Image.open(tmp_path / "run" / "image.png"))
    np.testing.assert_array_equal(np.rint(image * 255), pixels)


@pytest.mark.parametrize("kind", ["path", "text", "folder", "list", "float32", "float64", "jax"])
def test_all_kinds_of_sources_give_the_same(kind: str, image, path):
    floats = SOURCE / np.float32(255)
    source: Any = {
        "path": path,
        "text": str(path),
        "folder": path.parent,
        "list": [path],
        "float32": floats,
        "float64": floats.astype(np.float64),
        "jax": jnp.asarray(floats),
    }[kind]
    np.testing.assert_array_equal(texjax.synthesize(source, seed=3, **TINY), image)


def test_gray_is_three_equal_channels():
    gray = SOURCE[:, :, 0]
    expected = texjax.synthesize(np.repeat(gray[:, :, None], 3, axis=2), **TINY)
    np.testing.assert_array_equal(texjax.synthesize(gray, **TINY), expected)


def test_several_outputs_and_sources():
    images = texjax.synthesize([SOURCE, texture(50, 60, 1)], count=2, frames=3, size=(40, 32), **TINY)
    assert images.shape == (6, 32, 40, 3)
    assert all(np.abs(images[i] - images[j]).max() > 0.01 for i in range(6) for j in range(i))


def test_keys_of_all_depths_reach_the_config():
    changed = texjax.synthesize(SOURCE, seed=3, **{**TINY, "terms.gram.layers": {"pixels": 1.0}, "octaves": 1})
    config = configs.overridden(configs.load("random:tiny"), {"seed": 3, "octaves": 1})
    whole = texjax.synthesize(SOURCE, **{**TINY, "config": config, "terms.gram.layers": {"pixels": 1.0}})
    np.testing.assert_array_equal(changed, whole)


def test_iterate():
    iterates = list(texjax.iterate(SOURCE, save_every=2, count=2, **TINY))
    assert [now.step for now in iterates] == [0, 2, 4]
    last = iterates[-1]
    assert last.images.shape == (2, 1, 48, 48, 3) and last.seconds > 0 and last.state is not None
    assert last.loss == pytest.approx(last.metrics["loss"][-1].mean(), rel=1e-6)
    assert last.terms == {"gram": pytest.approx(last.loss, rel=1e-5)}
    assert last.loss < iterates[0].loss


def test_iterate_checks_at_once():
    with pytest.raises(errors.TexjaxError, match="unknown config key 'octave'"):
        texjax.iterate(SOURCE, octave=3)


CONTENT = texture(30, 60, seed=2)
SMALL: dict[str, Any] = {
    "features": {"name": "random", "size": 5, "channels": 8, "padding": "reflect"},
    "terms": {
        "gram": {"name": "gram", "layers": {"conv1_1": 1.0}},
        "content": {"name": "content", "layers": {"pixels": 1.0}, "group": "content", "weight": 1e3},
    },
    "schedule.steps": (),
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "max_iter": 40,
}


@pytest.mark.slow
def test_transfer_has_the_proportions_of_the_content():
    """And its pixels, where they outweigh everything else."""
    image = texjax.transfer(CONTENT, SOURCE, config="multiscale_style:tiny", **SMALL)
    assert image.shape == (30, 60, 3)  # within the 72 px of the config, and not enlarged
    np.testing.assert_allclose(image, CONTENT, atol=0.03)
    larger = texjax.transfer(texture(120, 240), SOURCE, config="multiscale_style:tiny", **{**SMALL, "max_iter": 1})
    assert larger.shape == (36, 72, 3)
    sized = texjax.transfer(CONTENT, SOURCE, config="multiscale_style:tiny", size=(44, 40), **{**SMALL, "max_iter": 1})
    assert sized.shape == (40, 44, 3)


def test_an_analogy_with_equal_a_and_b_gives_a_prime():
    changes = {
        "features": SMALL["features"],
        "terms": {"analogy": {"name": "analogy", "layers": {"pixels": 1.0}, "group": "analogy"}},
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "max_iter": 80,
        "tol": 0.0,
        "schedule.steps": (),
        "source.fit": 0.0,
    }
    a = texture(30, 40)
    image = texjax.analogy(a, 1 - a, a, config="analogies:tiny", **changes)
    assert (np.abs(image - (1 - a)) < 0.05).mean() > 0.98  # a pixel in a hundred has its equal in cosine elsewhere
    with pytest.raises(errors.TexjaxError, match="A is 40 x 30 px and A' is 30 x 30 px"):
        texjax.analogy(a, a[:, :30], a, config="analogies:tiny", **changes)


def test_measure():
    result, source = texture(60, 64, 5), texture(70, 80, 6)
    values = texjax.measure(result, source)
    luminance = [np.sort(x.reshape(-1, 3) @ np.ones(3)) for x in (result, source)]
    assert values["color_distance"] > 0 and len(luminance) == 2
    assert set(values) == set(texjax.measures.MEANINGS) - {"gram_error"}
    extractor = texjax.features.random(size=5, channels=4)
    assert "gram_error conv1_1" in texjax.measure(result, source, extractor=extractor, layers=("conv1_1",))
    with pytest.raises(errors.TexjaxError, match="source 1 is 40 x 30 px, but the measures need 56 px"):
        texjax.measure(result, texture(30, 40))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(sources=np.zeros((2, 20, 20, 3))), r"array of shape \[2, 20, 20, 3\]; give \[h, w, 3\]"),
        (dict(sources=np.zeros((20, 20, 5))), r"shape \[20, 20, 5\]; give .*\[h, w, 4\] with alpha"),
        (dict(sources=SOURCE.astype(float)), r"values from [\d.]+ to \d+; give floats in \[0, 1\], or uint8"),
        (dict(sources=SOURCE.astype(np.int32)), "array of int32; give floats"),
        (dict(sources=np.full((60, 60, 3), np.nan)), "values from nan to nan"),
        (dict(sources=[]), "the list of sources is empty"),
        (dict(sources="nowhere.png"), r"nowhere\.png: no such file or folder"),
        (dict(sources=SOURCE, config="textur"), "unknown config 'textur'; did you mean 'texture'"),
        (dict(sources=SOURCE, octave=3), "unknown config key 'octave'; did you mean 'octaves'"),
        (dict(sources=SOURCE, octaves="x"), "octaves is of type int, and got 'x'"),
        (dict(sources=SOURCE, octaves=0), "octaves is 0; give a whole number from 1"),
        (dict(sources=SOURCE, config="multiscale_style:tiny"), "needs the content, and none is given"),
        (dict(sources=SOURCE, octaves=9), "use at most"),
    ],
)
def test_errors_are_one_sentence(arguments: dict[str, Any], message: str):
    with pytest.raises(errors.TexjaxError, match=message) as caught:
        texjax.synthesize(**({"config": "random:tiny"} | arguments))
    assert "\n" not in str(caught.value)


def test_a_loss_that_is_no_number():
    with pytest.raises(errors.TexjaxError, match="the loss is no number"):
        texjax.synthesize(SOURCE, **{**TINY, "terms.gram.mul": 1e25})


def test_the_seed_of_a_config_draws_the_filters(path):
    """Random filters are drawn from `config.seed`, and another seed compiles nothing anew."""
    first, again, other = (
        build.parts(configs.overridden(configs.load("random:tiny"), {"seed": seed})) for seed in (0, 0, 1)
    )
    filters = [np.asarray(parts.extractor.weights["conv1_1"]) for parts in (first, again, other)]
    np.testing.assert_array_equal(filters[0], filters[1])
    assert np.abs(filters[0] - filters[2]).max() > 0.01
    assert first.program is other.program


def test_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "synthesize", None)
    texjax.synthesize(SOURCE, **TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_uneven_light_leaves_no_line_in_a_picture_that_tiles():
    """Of noise that gets brighter by 110 levels, where a circular analysis of the source leaves a line."""
    rng = np.random.default_rng(0)
    source = np.clip(
        0.45 + 110 / 255 * np.linspace(-0.5, 0.5, 64)[None, :, None] + rng.normal(0, 0.08, (64, 64, 3)), 0, 1
    )
    keys: dict[str, Any] = {"size": (48, 48), "max_iter": 30, "config": "texture:tiny", "octaves": 3}
    keys["schedule.steps"] = ()

    def largest_step(**changes: Any) -> float:
        columns = texjax.synthesize(source, **keys, **changes).mean((0, 2))
        return np.abs(np.diff(np.append(columns, columns[0]))).max()

    wrapped = largest_step(**{"source.flatten": "none", "source.padding": "circular"})
    with pytest.warns(
        errors.TexjaxWarning,
        match="source 1 is seen without the smooth part .* 1[0-9][0-9] levels of 255",
    ):
        assert largest_step() < 0.6 * wrapped
