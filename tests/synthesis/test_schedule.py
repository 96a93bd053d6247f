"""Coarse to fine: the resolutions and stages, and whole runs over them."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import pyramid
from texjax.runs import run
from texjax.synthesis import build, optimize, schedule

STEPS = "--config.schedule.steps=(4,)"
FLAT = "--config.source.flatten=none"  # the stripes do not tile
ADAM = "--config.optimizer={'name': 'adam'}"  # quickest to compile


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """80 x 70 px of soft stripes with noise."""
    rng = np.random.default_rng(0)
    stripes = 128 + 60 * np.sin(np.arange(70) / 3)[:, None, None] * np.array([1, 0.5, -0.5])
    pixels = np.clip(stripes + rng.normal(0, 12, (70, 80, 3)), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png"


def test_resolutions_by_hand():
    words = ["--config.size=(100, 61)", "--config.octaves=3", "--config.schedule.steps=(7, 5)"]
    config = configs.load("random", [*words, "--config.terms.gram.octave_weights=(1.0, 2.0, 3.0)"])
    resolutions = schedule.resolutions(config)
    assert [size.below for size in resolutions] == [2, 1, 0]
    assert [tuple(size.config.size) for size in resolutions] == [(25, 16), (50, 31), (100, 61)]
    assert [size.config.octaves for size in resolutions] == [1, 2, 3]
    assert [size.config.max_iter for size in resolutions] == [7, 5, config.max_iter]
    weights = [tuple(size.config.terms.gram.octave_weights) for size in resolutions]
    assert weights == [(3.0,), (2.0, 3.0), (1.0, 2.0, 3.0)]
    assert schedule.total(config) == 12 + config.max_iter
    assert resolutions[-1].config is config


@pytest.mark.parametrize(("octaves", "steps"), [(1, [9]), (2, [5, 9]), (3, [7, 5, 9]), (4, [7, 5, 9])])
def test_octaves_bound_the_resolutions(octaves: int, steps: list[int]):
    words = [f"--config.octaves={octaves}", "--config.schedule.steps=(7, 5)", "--config.max_iter=9"]
    config = configs.load("random", words)
    assert [size.config.max_iter for size in schedule.resolutions(config)] == steps
    assert schedule.total(config) == sum(steps)


def test_every_resolution_may_keep_its_octaves():
    words = ["--config.size=(100, 61)", "--config.octaves=1", "--config.schedule.steps=(7, 5)"]
    words += ["--config.terms.gram.octave_weights=(2.0,)", "--config.schedule.keep_octaves=True"]
    resolutions = schedule.resolutions(configs.load("random", words))
    assert [tuple(size.config.size) for size in resolutions] == [(25, 16), (50, 31), (100, 61)]
    assert [size.config.octaves for size in resolutions] == [1, 1, 1]
    assert [tuple(size.config.terms.gram.octave_weights) for size in resolutions] == [(2.0,)] * 3


def test_stages_are_the_rounds_of_each_resolution():
    words = ["--config.octaves=2", "--config.schedule.steps=(5,)", "--config.max_iter=4"]
    config = configs.load("random", [*words, "--config.jitter.pixels=8.0", "--config.jitter.every=3"])
    stages = schedule.stages(config)
    assert [(s.resolution.below, s.round.steps, s.first) for s in stages] == [
        (1, 3, True),
        (1, 2, False),
        (0, 3, True),
        (0, 1, False),
    ]


@pytest.mark.parametrize("shift", [4, 4.0, 5])
def test_frames_are_as_far_apart_at_every_resolution(shift: float):
    """At half the size the target is that of half the shift; a whole number will do as well as another."""
    config = configs.overridden(
        configs.load("animation:tiny", [STEPS]),
        {"octaves": 2, "terms.inter_frame": dict(name="inter_frame", layers={"pixels": 1.0}, shift=shift, order=1)},
    )
    source = np.random.default_rng(0).random((48, 48, 3)).astype(np.float32)
    coarse = schedule.resolutions(config)[0]
    (picture,) = schedule.reduced_pictures([source], coarse, configs.source_padding(coarse.config)[1])
    parts = build.parts(coarse.config, coarse.below)
    (target,) = optimize.targets(parts, coarse.config.octaves, {"sources": [picture]})["inter_frame"]
    small = np.asarray(picture, np.float64)

    def distance(pixels: int) -> float:
        moves = [np.roll(small, pixels, axis) - (small if axis == 0 else np.roll(small, pixels, 0)) for axis in (0, 1)]
        moves[1] = np.roll(np.roll(small, pixels, 0), pixels, 1) - np.roll(small, pixels, 0)
        return float(np.mean([255 * np.sqrt((move**2).mean()) for move in moves]))

    whole, part = divmod(shift / 2, 1)
    expected = (1 - part) * distance(int(whole)) + part * distance(int(whole) + 1)
    assert float(target) == pytest.approx(expected, rel=1e-4)


def test_a_coarse_objective_is_the_whole_ones_upper_octaves():
    config = configs.load("random:tiny", [STEPS])
    rng = np.random.default_rng(0)
    source, image = (jnp.asarray(rng.random((48, 48, 3)), jnp.float32) for _ in range(2))
    coarse = schedule.resolutions(config)[0]
    parts = build.parts(coarse.config)
    pictures = {"sources": schedule.reduced_pictures([source], coarse, configs.source_padding(coarse.config)[1])}
    targets = optimize.targets(parts, 1, pictures)
    small = jax.jit(lambda x: pyramid.reduce(x, padding="circular"))(image)
    whole = build.parts(configs.load("random:tiny", ["--config.terms.gram.octave_weights=(0.0, 1.0)"]))
    whole_targets = optimize.targets(whole, 2, {"sources": [source]})
    expected = jax.jit(whole.objective.value)(image[None], whole.extractor.weights, whole_targets)[0]
    value = jax.jit(parts.objective.value)(small[None], parts.extractor.weights, targets)[0]
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_the_next_start_is_the_low_passed_result_with_fresh_detail():
    """Against Fourier transforms: of the image up to half a cycle per coarse pixel, and of the fresh start."""
    config = configs.load("random:tiny", [STEPS])
    rng = np.random.default_rng(0)
    small, fresh = rng.random((2, 1, 24, 24, 3), np.float32), rng.random((2, 1, 48, 48, 3), np.float32)
    refined = np.asarray(schedule.refined(small, config, jnp.asarray(fresh)))
    f = np.fft.fftfreq(48)
    gain = np.exp(-(f[:, None] ** 2 + f[None] ** 2) / 2 / config.schedule.lowpass**2)[..., None]
    coarse, fine = (np.fft.fft2(stack.astype(np.float64), axes=(2, 3)) for stack in (small, fresh))
    waves = np.zeros_like(fine)
    low = np.r_[0:12, 36:48]  # the wave at 0.5 cycles per coarse pixel is left out, as neither sign is the right one
    waves[:, :, low[:, None], low] = 4 * coarse * (np.arange(24) != 12)[:, None, None] * (np.arange(24) != 12)[:, None]
    want = np.fft.ifft2(gain * waves + (1 - gain) * fine, axes=(2, 3)).real
    np.testing.assert_allclose(refined, want, atol=2e-4)


def test_a_run_over_resolutions(picture: Path, tmp_path: Path):
    config = configs.load("random:tiny", [STEPS, ADAM, FLAT, "--config.count=2"])
    pixels = []
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        result = run.synthesize(config, {"sources": [picture]}, lambda parts, name=name: tmp_path / name)
        assert (result.status, result.steps) == ("finished", 10)
        pixels.append([pixels_of(path) for path in result.paths])
    assert [p.shape for p in pixels[0]] == [(48, 48, 3)] * 2
    np.testing.assert_array_equal(pixels[0], pixels[1])
    lines = [json.loads(line) for line in (tmp_path / "first" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(11))
    assert np.all(np.diff([line["seconds"] for line in lines]) > 0)
    sides = {p.name: pixels_of(p).shape[:2] for p in (tmp_path / "first" / "progress").iterdir()}
    assert sides["I0004_F0000.png"] == (24, 24) and sides["I0007_F0000.png"] == (48, 48)


def test_an_interrupt_at_a_coarse_resolution_leaves_a_whole_picture(picture: Path, tmp_path: Path):
    def interrupt(iterate):
        if iterate.step == 3:
            raise KeyboardInterrupt

    (tmp_path / "run").mkdir()
    config = configs.load("random:tiny", [STEPS, ADAM, FLAT])
    result = run.synthesize(config, {"sources": [picture]}, lambda parts: tmp_path / "run", interrupt)
    assert (result.status, result.steps) == ("interrupted", 3)
    assert pixels_of(result.paths[0]).shape == (48, 48, 3)
