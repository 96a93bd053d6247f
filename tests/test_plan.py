"""The plan of a run: its sizes by hand, its memory beside what the compiled program says of itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from texjax import assembly, errors, pictures, plan, run
from texjax import config as configs


@pytest.fixture
def source(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


def test_sizes_and_parameters(source, monkeypatch):
    """Valid throughout. The pyramid: 70 -> floor(65 / 2) + 1 = 33, 51 -> 24; filters of 5: n -> n - 4.

    The pixels are only looked at in octave 1. 5 x 5 x 3 x 16 = 1200 parameters.
    """
    monkeypatch.setattr(plan, "_rate", lambda: 1e9)
    config = configs.load("random:tiny")
    config.update(size=(70, 51), count=2, max_iter=40)
    config.pyramid.padding = config.features.padding = "valid"
    config.features.size = 5
    config.source.width = 40
    with config.unlocked():
        config.terms.color = dict(name="mean", weight=1.0, layers=dict(pixels=1.0), octave_weights=(0.0, 1.0))
        config.terms.gram.layers = dict(conv1_1=1.0)
    table = dict(plan.plan(config, [source, source]))
    assert table["output"] == "2 x 70 x 51 px"
    assert table[f"source {source}"] == "40 x 32 px"
    assert table["network"] == "random, 1,200 parameters"
    assert table["octave 0"] == "70 x 51 px: conv1_1 66 x 47"
    assert table["octave 1"] == "33 x 24 px: pixels 33 x 24, conv1_1 29 x 20"
    assert table["optimizer"] == "lbfgs, at most 40 iterations"
    # A convolution takes 2 x 5 x 5 x 3 x 16 operations for a pixel, its gradient as many, and the Gram matrix of 16
    # channels 2 x 16 x 16 forward and 2 x that back (its two factors are alike), over 66 x 47 + 29 x 20 pixels.
    flops = (66 * 47 + 29 * 20) * (2 * 2400 + 3 * 512)
    expected = 2 * 40 * plan.ITERATION * flops / (plan.EFFICIENCY * 1e9)
    assert 0.6 * expected - 0.5 < number(table["time, about"]) < 1.6 * expected + 0.5


def test_time_grows_with_the_work(source, monkeypatch):
    """A device of 1e6 operations a second, so that whole seconds tell: twice the steps, twice the time."""
    monkeypatch.setattr(plan, "_rate", lambda: 1e6)
    config = configs.load("random:tiny")
    one = number(dict(plan.plan(config, [source]))["time, about"])
    config.max_iter = 12
    two = number(dict(plan.plan(config, [source]))["time, about"])
    config.count = 3
    six = number(dict(plan.plan(config, [source]))["time, about"])
    assert one > 100
    assert (two / one, six / one) == pytest.approx((2, 6), rel=0.02)


@pytest.mark.parametrize(("history_size", "frames"), [(2, 1), (20, 3)])
def test_memory_is_about_that_of_the_whole_program(history_size, frames, source, monkeypatch):
    """The program that runs, as compiled: its arguments, results and temporaries, within a factor of two."""
    monkeypatch.setattr(plan, "_rate", lambda: 1e9)
    config = configs.load("random:tiny")
    config.size = (160, 160)
    config.optimizer.history_size = history_size
    config.frames = frames
    got = 2**20 * number(dict(plan.plan(config, [source]))["memory, about"])
    made = assembly.parts(config)
    sources = [jnp.asarray(array) for array in pictures.load(config, [source])]
    stack, args = run.start(config, sources), (made.extractor.weights, run.targets(made, sources))
    state = jax.eval_shape(jax.vmap(lambda x: made.minimizer.init(x, *args)), stack)
    compiled = made.advance.lower(stack, state, True, 0, *args).compile().memory_analysis()
    whole = compiled.temp_size_in_bytes + compiled.argument_size_in_bytes + compiled.output_size_in_bytes
    assert whole / 2 - 2**20 < got < 2 * whole + 2**20


def test_frames_are_counted(source, monkeypatch):
    """Three frames take three times as long, and 48 x 48 pixels tell of them."""
    monkeypatch.setattr(plan, "_rate", lambda: 1e6)
    config = configs.load("random:tiny")
    one = number(dict(plan.plan(config, [source]))["time, about"])
    config.frames = 3
    table = dict(plan.plan(config, [source]))
    assert table["output"] == "1 x 3 frames x 48 x 48 px"
    assert number(table["time, about"]) == pytest.approx(3 * one, rel=0.05)


def test_what_cannot_run_cannot_be_planned(source):
    config = configs.load("random:tiny")
    config.pyramid.padding, config.octaves = "valid", 8
    with pytest.raises(errors.TexjaxError, match="at most"):
        plan.plan(config, [source])
    config.octaves = 0
    with pytest.raises(errors.TexjaxError, match="octaves is 0"):
        plan.plan(config, [source])
