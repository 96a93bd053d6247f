"""Runs with a content, and with A, A' and B: what each term is compared with, and what comes of it."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors, features, images, losses, pyramid, types
from texjax.cli import main, synthesize
from texjax.images import copies
from texjax.runs import inputs
from texjax.synthesis import optimize, schedule

# One filter bank of 5 x 5 and 8 channels on 48 px: quick to compile.
SMALL = ["--config.size=(48, 40)", "--config.features={'name': 'random', 'size': 5, 'channels': 8, 'padding': 'same'}"]
ADAM = "--config.optimizer={'name': 'adam', 'learning_rate': 0.02}"
EXTRACTOR = features.random(size=5, channels=8, padding="same")


def term(**settings: Any) -> dict[str, Any]:
    return dict(weight=1.0, layers=dict(conv1_1=1.0), octave_weights=()) | settings


def terms(**given: dict[str, Any]) -> str:
    return f"--config.terms={given}"


def load(*words: str, **given: dict[str, Any]) -> configs.Config:
    return configs.overridden(configs.load("cnnmrf_transfer:tiny", [*SMALL, ADAM, *words]), {"terms": given})


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    """Smooth pictures, all of 48 x 40 px but one."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    shapes = dict.fromkeys(("content", "style", "a", "a_prime"), (40, 48)) | {"other": (30, 36)}
    for name, shape in shapes.items():
        coarse = rng.integers(60, 196, (6, 7, 3), np.uint8)
        Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in shapes}


def seen(path: Path) -> jax.Array:
    return EXTRACTOR.apply(EXTRACTOR.weights, jnp.asarray(images.load(path)), ("conv1_1",))["conv1_1"]


def first_terms(config: configs.Config, paths: dict[str, list[Path]]) -> dict[str, float]:
    """The terms of the objective at its start."""
    pictures = inputs.load(config, inputs.with_start(config, paths))
    parts = optimize.check(config, pictures)
    targets = optimize.targets(parts, config.octaves, pictures)
    start = optimize.start(config, {group: [jnp.asarray(x) for x in arrays] for group, arrays in pictures.items()})
    _, shares = jax.jit(parts.objective.value)(start[0], parts.extractor.weights, targets)
    return {name: float(value) for name, value in shares.items()}


def view(features: jax.Array) -> types.View:
    return types.View(0, "conv1_1", 1.0, features[None])


def test_every_term_sees_its_pictures(paths: dict[str, Path]):
    """Against the loss functions called by hand on the start, a picture of its own."""
    given: dict[str, Any] = dict(
        content=term(name="content", group="content", weight=3.0),
        gram=term(name="gram"),
        mrf=term(name="mrf", weight=2.0, rotations=1),
        analogy=term(name="analogy", group="analogy", weight=0.5),
        smoothness=term(name="smoothness", layers=dict(pixels=1.0)),
    )
    start = f"--config.init={{'name': 'picture', 'path': '{paths['other']}'}}"
    config = load(start, "--config.source.fit=0.0", "--config.schedule.steps=()", **given)
    analogy = [paths["a"], paths["a_prime"], paths["content"]]
    result = first_terms(config, {"sources": [paths["style"]], "content": [paths["content"]], "analogy": analogy})

    image = jax.image.resize(jnp.asarray(images.load(paths["other"])), (40, 48, 3), "lanczos3").clip(0, 1)
    x = EXTRACTOR.apply(EXTRACTOR.weights, image, ("conv1_1",))["conv1_1"]
    bank = [
        EXTRACTOR.apply(EXTRACTOR.weights, jnp.asarray(copy), ("conv1_1",))["conv1_1"]
        for copy in copies.turned_and_scaled(images.load(paths["style"]), 1, 0)
    ]
    group = {
        "content": (losses.content(), [seen(paths["content"])], 3.0),
        "gram": (losses.gram(), [seen(paths["style"])], 1.0),
        "mrf": (losses.mrf(), bank, 2.0),
        "analogy": (losses.analogy(), [seen(paths[name]) for name in ("a", "a_prime", "content")], 0.5),
    }
    for name, (loss, shown, weight) in group.items():
        target = loss.join([loss.summarize([view(picture)]) for picture in shown])
        want = weight * float(loss.value([view(x)], target))
        assert result[name] == pytest.approx(want, rel=1e-4) and want > 0, name
    pixels = np.asarray(image, np.float64)
    down, right = pixels[1:, :-1] - pixels[:-1, :-1], pixels[:-1, 1:] - pixels[:-1, :-1]
    assert result["smoothness"] == pytest.approx((down**2 + right**2).sum() / 2, rel=1e-4)


def test_pictures_are_as_large_as_they_have_to_be(paths: dict[str, Path]):
    config = load("--config.source.fit=0.3", gram=term(name="gram"), content=term(name="content", group="analogy"))
    analogy = [paths["a"], paths["a_prime"], paths["other"]]
    result = inputs.load(config, {"sources": [paths["style"]], "content": [paths["other"]], "analogy": analogy})
    assert [x.shape for x in result["content"]] == [(40, 48, 3)]
    # 0.3 of 48 px along the longer side is 14, and what the ratio makes of the other 40 x 14 / 48 = 11.7.
    assert [x.shape for x in result["analogy"]] == [(12, 14, 3), (12, 14, 3), (40, 48, 3)]
    assert result["sources"][0].shape == (12, 14, 3)


def test_all_pictures_are_reduced_for_a_coarse_resolution(paths: dict[str, Path]):
    config = load(content=term(name="content", group="content"))
    coarse = schedule.resolutions(config)[0]
    assert (coarse.below, coarse.config.octaves, tuple(coarse.config.size)) == (1, 1, (24, 20))
    content = jnp.asarray(images.load(paths["content"]))
    (small,) = schedule.reduced_pictures([content], coarse, coarse.config.pyramid.padding)
    np.testing.assert_array_equal(small, pyramid.reduce(content, padding="reflect"))
    # The start is all of the content.
    np.testing.assert_array_equal(optimize.start(coarse.config, {"sources": [], "content": [small]})[0, 0], small)


def call(where: Path, *words: object) -> dict[str, Any]:
    """Run the command in this process, into `where`; run.json."""
    with pytest.raises(SystemExit) as end:
        main.main([*map(str, words), "--run-dir", str(where)])
    assert end.value.code == 0
    return json.loads((where / "run.json").read_text())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), float) / 255


@pytest.mark.slow
def test_a_content_that_outweighs_all_is_what_comes_out(paths: dict[str, Path], tmp_path: Path):
    """From noise, over two sizes: the mean square of features of random filters leaves only the content."""
    content_term = dict(name="content", group="content", layers=dict(pixels=1.0, conv1_1=1.0))
    given = terms(gram=term(name="gram", weight=1e-9), content=term(**content_term, weight=1e3))
    words = [*SMALL, given, "--init", "random", "-m", 60, "-n", 30, "--config.tol=0.0"]
    where = tmp_path / "run"
    record = call(
        where, "transfer", paths["content"], paths["style"], paths["other"], "--config", "cnnmrf_transfer:tiny", *words
    )
    assert [len(record[of]) for of in ("sources", "content")] == [2, 1]
    np.testing.assert_allclose(pixels(where / "image.png"), pixels(paths["content"]), atol=0.02)


# Flag, what follows, the key and its value, of config `multiscale_style` or, with --analogy- or --mrf-, `analogies`.
FLAGS = [
    ("--content-weight", "2", "terms.content.weight", 2.0),
    ("--style-weight", "3", "terms.gram.weight", 3.0),
    ("--tv-weight", "4", "terms.smoothness.weight", 4.0),
    ("--style-scale", "0.5", "source.fit", 0.5),
    ("--style-blend-weights", "3,7", "terms.gram.join_weights", (3.0, 7.0)),
    ("--num-iterations", "7", "max_iter", 7),
    ("--init", "content", "init", {"name": "crop", "group": "content"}),
    ("--init", "random", "init", {"name": "random_phase", "contrast": 1.0, "group": "sources"}),
    ("--init", "start.png", "init", {"name": "picture", "path": "start.png", "deviation": 0.0, "group": "sources"}),
    ("--max-size", "24", "size", (24, 20)),
    ("--output-width", "96", "size", (96, 80)),
    ("--output-height", "20", "size", (24, 20)),
    ("--output-width", "30 -oh 50", "size", (30, 50)),
    ("--max-size", "999", "size", (48, 40)),
    ("--config.size", "(9,8)", "size", (9, 8)),
    ("--analogy-w", "2", "terms.analogy.weight", 2.0),
    ("--mrf-w", "3", "terms.mrf.weight", 3.0),
    ("--nstyle-w", "3", "terms.style.weight", 3.0),
    ("--jitter", "4", "jitter.pixels", 4.0),
    ("--color-jitter", "0.1", "jitter.color", 0.1),
    ("--analogy-weight", "2 --tv-w 5", "terms.smoothness.weight", 5.0),
    ("--mrf-weight", "2 --b-content-w 5", "terms.content.weight", 5.0),
]


@pytest.mark.parametrize(("flag", "words", "key", "expected"), FLAGS)
def test_a_flag_sets_its_key(flag: str, words: str, key: str, expected: Any, paths: dict[str, Path]):
    given = ["transfer", str(paths["content"]), str(paths["style"]), "--config", "multiscale_style:tiny"]
    if flag.startswith(("--analogy", "--mrf", "--nstyle")):
        given = ["analogy", *(str(paths[name]) for name in ("a", "a_prime", "content")), "--config", "analogies:tiny"]
    config = job(*given, flag, *words.split()).config
    result = config
    for part in key.split("."):
        result = result[part]
    assert (result.to_dict() if hasattr(result, "to_dict") else result) == expected


def job(*words: str) -> synthesize.Job:
    flags, overrides = main._split(list(words))
    args = main._parser().parse_args(flags)
    return args.job(args, overrides)


def test_pictures_of_the_commands(paths: dict[str, Path]):
    content, style, a, a_prime = (paths[name] for name in ("content", "style", "a", "a_prime"))
    result = job("transfer", str(content), str(style), str(a))
    assert result.pictures == {"sources": [style, a], "content": [content]}
    result = job("analogy", str(a), str(a_prime), str(content))
    assert result.pictures == {"sources": [a_prime], "content": [content], "analogy": [a, a_prime, content]}


YUV = np.array([[-0.14713, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])


def test_original_colors(paths: dict[str, Path], tmp_path: Path):
    """What is not cut off has the content's U and V, to the rounding of the file, and another light."""
    words = [*SMALL, ADAM, terms(gram=term(name="gram"), content=term(name="content", group="content", weight=1e-3))]
    where = tmp_path / "run"
    call(
        where,
        "transfer",
        *(paths["content"], paths["style"], "--config", "cnnmrf_transfer:tiny", "--original-colors", *words),
        *("--config.output.bits=16", "--config.schedule.steps=()"),
    )
    result, content = images.load(where / "image.png").astype(np.float64), pixels(paths["content"])
    whole = ((result > 0) & (result < 1)).all(-1)
    assert whole.mean() > 0.5
    np.testing.assert_allclose((result @ YUV.T)[whole], (content @ YUV.T)[whole], atol=2e-4)
    assert np.abs(result - content).mean() > 0.01


def test_an_analogy(paths: dict[str, Path], tmp_path: Path):
    """A and B alike: the picture that belongs to B is A', but for what random filters do not see of it."""
    words = ["--config", "analogies:tiny", *SMALL[1:], terms(analogy=term(name="analogy", group="analogy"))]
    where = tmp_path / "run"
    shown = [paths["a"], paths["a_prime"], paths["a"]]
    words += ["-m", 60, "-n", 30, "--config.schedule.steps=()", "--config.source.fit=0.0"]
    record = call(where, "analogy", *shown, *words)
    assert [one["name"] for one in record["analogy"]] == ["a.png", "a_prime.png", "a.png"]
    assert pixels(where / "image.png").shape == (40, 48, 3)
    result, wanted, b = (pixels(path).ravel() for path in (where / "image.png", paths["a_prime"], paths["a"]))
    assert np.corrcoef(result, wanted)[0, 1] > 0.8 > np.corrcoef(result, b)[0, 1]


def test_pictures_that_nothing_uses(paths: dict[str, Path]):
    config = configs.overridden(load(gram=term(name="gram")), {"init": {"name": "random_phase"}})
    pictures = inputs.load(config, {"sources": [paths["style"]], "content": [paths["content"]]})
    with pytest.raises(errors.TexjaxError, match="nothing in this config uses the content"):
        optimize.check(config, pictures)
