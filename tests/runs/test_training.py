"""Trainings of generators: what a step computes, and runs that are killed, gone on with, and extended."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests.runs import test_resume
from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.runs import inputs, networks, resume, run
from texjax.synthesis import optimize, training


def prepared(config, sources):
    return training.prepare(config, inputs.load(config, {"sources": sources}))


def gram(features: np.ndarray) -> np.ndarray:
    flat = features.reshape(-1, features.shape[-1]).astype(np.float64)
    return flat.T @ flat / len(flat) / flat.shape[1]


def test_the_loss_is_the_mean_over_new_pictures(training_config, sources):
    """One octave of pixels alone: Gram matrices by NumPy, of pictures that the first parameters make."""
    layers = {"gram": {"name": "gram", "layers": {"pixels": 1.0}}}
    config = training_config(terms=layers, octaves=1, save_every=1, count=3)
    pictures = inputs.load(config, {"sources": sources})
    run_ = training.prepare(config, pictures)
    generator = training.build_generator(config, 3, 2)
    weights = jax.tree.map(jnp.array, run_.first.state.weights)  # the first step takes their memory
    now = next(run_.iterates)
    setup = training._setup(config, run_.parts, pictures)
    variables, _ = generator.train(weights, training._noise(setup, jax.random.key(config.seed), 1), setup.codes)
    images = 1 / (1 + np.exp(-np.asarray(variables, np.float64)))
    targets = [gram(np.asarray(picture)) for picture in pictures["sources"]]
    distances = [((gram(image) - targets[i // 3]) ** 2).sum() for i, image in enumerate(images)]
    np.testing.assert_allclose(now.loss, np.mean(distances), rtol=1e-4)
    np.testing.assert_allclose(now.metrics["low"][-1, 0], images.min(), rtol=1e-4)


def test_the_first_step_is_one_of_adam(training_config, sources):
    """Adam's first step moves every parameter by the learning rate, against the sign of its gradient."""
    config = training_config(save_every=1)
    run_ = prepared(config, sources)
    before = jax.tree.map(np.array, run_.first.state.weights["params"])
    after = jax.tree.map(np.array, next(run_.iterates).state.weights["params"])
    moves = np.concatenate([np.ravel(a - b) for a, b in zip(*map(jax.tree.leaves, (after, before)), strict=True)])
    rate = config.optimizer.learning_rate
    assert np.median(np.abs(moves)) == pytest.approx(rate, rel=1e-3)
    assert np.abs(moves).max() < 1.001 * rate


def test_steps_count_as_much_whatever_their_loss(training_config, sources):
    """Adam of unit gradients of one direction moves by the learning rate, however the gradients change in size."""
    config = training_config(**{"training.decay": 1.0})
    pictures = inputs.load(config, {"sources": sources})
    solver = training._setup(config, training.prepare(config, pictures).parts, pictures).solver
    gradient, state = jnp.array([3.0, -4.0]), solver.init(jnp.zeros(2))
    for size in (1.0, 1e5, 1e-5, 1.0):
        updates, state = solver.update(size * gradient, state)
        expected = -config.optimizer.learning_rate * np.array([1, -1])
        np.testing.assert_allclose(np.asarray(updates), expected, rtol=1e-4)


def test_each_source_has_its_own_pictures(training_config, sources):
    config = training_config(max_iter=80, save_every=80, **{"optimizer.learning_rate": 0.05})
    now = list(prepared(config, sources).iterates)[-1]
    red, blue = now.images[:2].mean((0, 1, 2, 3)), now.images[2:].mean((0, 1, 2, 3))
    assert red[0] > red[2] + 0.2 and blue[2] > blue[0] + 0.2


def test_terms_that_choose_anew(training_config, sources):
    """Sliced Wasserstein draws directions for each step."""
    terms = {"sliced": {"name": "sliced_wasserstein", "layers": {"conv1_1": 1.0}}}
    losses = [now.loss for now in prepared(training_config(terms=terms), sources).iterates]
    assert np.isfinite(losses).all() and len(losses) == 3


@pytest.mark.slow
def test_killed_and_resumed(training_config, sources, tmp_path):
    """The same bytes of pictures, metrics and network as without a break."""
    config, whole, killed = training_config(), tmp_path / "whole", tmp_path / "killed"
    for where in (whole, killed):
        where.mkdir()
    run.synthesize(config, {"sources": sources}, lambda parts: whole)
    with pytest.raises(test_resume.Killed):
        run.synthesize(config, {"sources": sources}, lambda parts: killed, test_resume.kill_at(4))
    result = test_resume.go_on(killed)
    assert result.steps == 6 and json.loads((killed / "run.json").read_text())["resumed"] == [2]
    assert test_resume.files(killed) == test_resume.files(whole)
    assert (killed / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.thorough
def test_extended(training_config, sources, tmp_path):
    run.synthesize(training_config(), {"sources": sources}, lambda parts: tmp_path)
    before = networks.read(tmp_path / "network.safetensors").weights
    assert test_resume.go_on(tmp_path, extend=2).steps == 8
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["resumed"] == [6] and "network.safetensors" in record["results"]
    after = networks.read(tmp_path / "network.safetensors").weights
    moved = [np.abs(a - b).max() for a, b in zip(*map(jax.tree.leaves, (after, before)), strict=True)]
    assert max(moved) > 1e-4


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"size": (33, 32)}, r"width of the training pictures is 33 px.*multiples of 2; give.*\(34, 32\)"),
        ({"optimizer": {"name": "lbfgs"}}, "trained by adam"),
        ({"optimizer.range": "clip"}, "'clip' is not possible"),
        ({"generator.widths": ()}, "number of generator.widths is 0"),
        ({"schedule.steps": (3,)}, "schedule.steps is"),
        ({"frames": 2}, "frames is 2"),
        ({"training.decay": 2.0}, "training.decay"),
    ],
)
def test_what_cannot_be_trained(changes, text, training_config, sources, tmp_path):
    with pytest.raises(errors.TexjaxError, match=text):
        run.synthesize(training_config(**changes), {"sources": sources}, lambda parts: tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_config_that_changed_is_refused(training_config, trained):
    begun = resume.begun(trained.parent, extend=1)
    with pytest.raises(errors.TexjaxError, match=r"generator\.widths is"):
        resume.check_config(begun, training_config(**{"generator.widths": (4, 8)}))


@pytest.mark.slow
@pytest.mark.thorough
def test_gray_sources_train_gray_pictures(training_config, tmp_path):
    path = tmp_path / "gray.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(path)
    where = tmp_path / "run"
    where.mkdir()
    run.synthesize(training_config(max_iter=2), {"sources": [path]}, lambda parts: where)
    with Image.open(where / "image_0000.png") as image:
        assert image.mode == "L"
    assert networks.read(where / "network.safetensors").channels == 1


def test_samples_come_from_the_statistics_that_training_has_left(training_config, sources):
    """A sample does not change with its neighbors in the stack, as it would with the statistics of the stack."""
    config = training_config()
    pictures = inputs.load(config, {"sources": sources})
    run_ = training.prepare(config, pictures)
    last = list(run_.iterates)[-1]
    setup = training._setup(config, run_.parts, pictures)
    noise = training._noise(setup, jax.random.key(config.seed), 0)
    alone = jax.tree.map(lambda x: x[1:2], noise)
    variables = setup.generator.apply(last.state.weights, alone, setup.codes[1:2])
    np.testing.assert_allclose(jax.nn.sigmoid(variables), last.images[1], atol=1e-5)
    assert optimize.channels(pictures) == 3


def test_the_run_directory_has_the_network(trained: Path):
    record = json.loads((trained.parent / "run.json").read_text())
    assert set(record["results"]) == {*(f"image_000{i}.png" for i in range(4)), "network.safetensors"}


def test_the_sweep_of_the_config(sources):
    """One octave and four, with pictures together and alone."""
    from texjax.sweeps import entries

    declared = entries.declared(entries.Request("feedforward/texture:tiny", [], [str(sources[0])]))
    swept = [(entry.config.octaves, entry.config.terms.gram.together) for entry in declared]
    assert swept == [(1, True), (1, False), (4, True), (4, False)]


@pytest.mark.slow
def test_a_network_learns_to_restyle_photographs(sources, tmp_path, capsys):
    """From the command line: trained, killed and gone on with, the same bytes; and then used."""
    pytest.importorskip("grain")
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 255, (40 + i, 50, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{i}.png")
    config = configs.load("feedforward/style:tiny", ["--config.checkpoint_steps=3"])
    paths = {"sources": sources[:1], "photos": sorted(photos.iterdir())}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for where in (whole, killed):
        where.mkdir()
    run.synthesize(config, paths, lambda parts: whole)
    with pytest.raises(test_resume.Killed):
        run.synthesize(config, paths, lambda parts: killed, test_resume.kill_at(6))
    assert test_resume.go_on(killed).steps == 6
    assert (killed / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()
    words = ["stylize", str(whole / "network.safetensors"), str(photos), "--output-dir", str(tmp_path / "styled")]
    with pytest.raises(SystemExit) as exit_:
        main.main(words)
    assert exit_.value.code == 0
    with Image.open(tmp_path / "styled" / "2.png") as image:
        assert image.size == (50, 42)
    (photos / "0.png").unlink()
    begun = resume.begun(whole, extend=2)
    fewer = {**begun.paths, "photos": begun.paths["photos"][1:]}
    with pytest.raises(errors.TexjaxError, match="the folder of photographs changed"):
        run.synthesize(begun.config, fewer, lambda parts: whole, begun=begun)
