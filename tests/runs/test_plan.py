"""The plan of a run: its sizes and operations by hand, its memory beside what the compiled program says of itself."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.cli import main
from texjax.runs import estimates, inputs, machine, operations, plan
from texjax.synthesis import optimize


@pytest.fixture
def source(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def device(monkeypatch):
    """A function of operations per second: such a device, on which nothing is timed and starting takes no time."""

    def install(rate: float) -> None:
        monkeypatch.setattr(operations, "rate", lambda: rate)
        monkeypatch.setattr(operations, "TIMED", 0.0)
        for name in ("STARTING", "SMALL_COMPILED", "COMPILED", "FIRST"):
            monkeypatch.setattr(estimates, name, 0.0)

    estimates._program.cache_clear()
    yield install
    estimates._program.cache_clear()


@pytest.fixture
def no_process(monkeypatch):
    """Only arrays and programs are counted, and neither the process nor what compiling takes."""
    monkeypatch.setattr(estimates, "process", lambda: 0)
    monkeypatch.setattr(machine, "peak_memory", lambda: 0)
    for name in ("BACKEND", "SMALL", "KEPT", "COMPILER", "COMPILING"):
        monkeypatch.setattr(estimates, name, 0)


def number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


def test_sizes_and_parameters(source, device):
    """Valid throughout. The pyramid: 70 -> floor(65 / 2) + 1 = 33, 51 -> 24; filters of 5: n -> n - 4.

    The pixels are only looked at in octave 1. 5 x 5 x 3 x 16 = 1200 parameters.
    """
    device(1e9)
    config = configs.load("random:tiny")
    config.update(size=(70, 51), count=2, max_iter=40)
    config.pyramid.padding = config.features.padding = "valid"
    config.features.size = 5
    config.source.width = 40
    with config.unlocked():
        config.terms.color = dict(name="mean", layers=dict(pixels=1.0), octave_weights=(0.0, 1.0))
    config = configs.overridden(config, {"terms.gram.layers": dict(conv1_1=1.0)})
    table = dict(plan.plan(config, {"sources": [source, source]}))
    assert table["output"] == "2 x 70 x 51 px"
    assert table[f"source {source}"] == "40 x 32 px"
    assert table["network"] == "random, 1,200 parameters"
    assert table["octave 0"] == "70 x 51 px: conv1_1 66 x 47"
    assert table["octave 1"] == "33 x 24 px: pixels 33 x 24, conv1_1 29 x 20"
    assert table["optimizer"] == "lbfgs, at most 40 iterations"
    # A convolution takes 2 x 5 x 5 x 3 x 16 operations for a pixel, its gradient as many, and the Gram matrix of 16
    # channels 2 x 16 x 16 forward and 2 x that back (its two factors are alike), over 66 x 47 + 29 x 20 pixels.
    flops = (66 * 47 + 29 * 20) * (2 * 2400 + 3 * 512)
    expected = 2 * 40 * estimates.ITERATION * flops / (operations.EFFICIENCY * 1e9)
    assert 0.6 * expected - 0.5 < number(table["time, about"]) < 1.6 * expected + 0.5


def seconds(source, **values):
    """Seconds of a run with these keys, on a device of 1e6 operations a second, so that whole seconds tell."""
    config = configs.load("random:tiny")
    config.update(values)
    return number(dict(plan.plan(config, {"sources": [source]}))["time, about"])


def test_time_grows_with_the_work(source, device):
    """Analyzing the source takes as long however many steps and outputs there are; 6 steps of a picture take `six`."""
    device(1e6)
    one, two, three = seconds(source), seconds(source, max_iter=12), seconds(source, max_iter=12, count=3)
    six = two - one
    assert 100 < six < one < 1.2 * six
    assert three - two == pytest.approx(4 * six, rel=0.01)


@pytest.mark.parametrize(("history_size", "frames"), [(2, 1), pytest.param(20, 3, marks=pytest.mark.slow)])
def test_memory_is_about_that_of_the_whole_program(history_size, frames, source, device, no_process):
    """The program that runs, as compiled: its arguments, results and temporaries (these times SCRATCH)."""
    device(1e9)
    config = configs.load("random:tiny")
    config.size = (160, 160)
    config.optimizer.history_size = history_size
    config.frames = frames
    got = 2**20 * number(dict(plan.plan(config, {"sources": [source]}))["memory, about"])
    prepared = optimize.prepare(config, inputs.load(config, {"sources": [source]}))
    parts, images, keys = prepared.parts, jnp.asarray(prepared.first.images), jax.random.split(jax.random.key(0), 1)
    targets = optimize.targets(parts, config.octaves, inputs.load(config, {"sources": [source]}))
    args = (parts.extractor.weights, targets)
    state = parts.program.empty(images, keys, *args)
    program: Any = parts.program.run
    compiled = program.lower(images, state, keys, True, 0, 0, *args).compile().memory_analysis()
    whole = (
        estimates.SCRATCH * compiled.temp_size_in_bytes
        + compiled.argument_size_in_bytes
        + compiled.output_size_in_bytes
        - compiled.alias_size_in_bytes
    )
    assert whole / 1.3 - 2**20 < got < 1.3 * whole + 2**20


def test_a_large_source_is_counted(tmp_path, device, no_process):
    """Features of 16 channels, at full size and at half of it, take 4 x 16 x 1.25 bytes for a pixel of the source.

    Beside them there is at most one more array of their size, and SCRATCH counts what convolutions copy. The picture
    itself is held COPIES times.
    """
    device(1e9)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)).save(tmp_path / "large.png")
    config = configs.load("random:tiny")
    config.source.max_fit = 0.0
    memory = {}
    for width in (1600, 400):
        config.source.width = width
        memory[width] = plan.cost(config, {"sources": [tmp_path / "large.png"]}).memory
    pixels = 1600 * 1200 - 400 * 300
    features, held = 4 * 16 * 1.25 * pixels, 4 * 3 * estimates.COPIES * pixels
    got = memory[1600] - memory[400] - held
    assert features * estimates.SCRATCH < got < 2 * features * estimates.SCRATCH


def test_reading_is_counted(source, device, monkeypatch):
    """A process whose peak rises to 64 GiB while the pictures are read takes at least so much."""
    device(1e9)
    peaks = iter([2**30, 2**36])
    monkeypatch.setattr(machine, "peak_memory", lambda: next(peaks))
    assert plan.cost(configs.load("random:tiny"), {"sources": [source]}).memory == 2**36


def test_the_process_and_its_compiler_are_counted(source, device):
    """A small picture takes hundreds of MiB: Python and the libraries, and more for every resolution."""
    device(1e9)
    config = configs.load("texture:tiny")
    two = plan.cost(config, {"sources": [source]}).memory
    config.schedule.steps = ()
    one = plan.cost(config, {"sources": [source]}).memory
    assert one > estimates.process() + estimates.BACKEND + estimates.OTHERS * estimates.SMALL
    assert two - one > (estimates.OTHERS + estimates.ENLARGING) * estimates.SMALL


def test_starting_and_compiling_are_counted(source, device, monkeypatch):
    """At 1e9 operations a second; a noise start has 3 programs at least, and 121 single operations at most."""
    device(1e9)
    config = configs.load("texture:tiny")
    monkeypatch.setattr(estimates, "STARTING", 7e9)
    assert plan.cost(config, {"sources": [source]}).once == pytest.approx(7)
    monkeypatch.setattr(estimates, "SMALL_COMPILED", 1e9)
    cost = plan.cost(config, {"sources": [source]})
    others = 2 * estimates.OTHERS + estimates.ENLARGING
    assert 7 + others + 2 * 3 < cost.once < 7 + others + 2 * 121
    assert cost.seconds > cost.once


def measure(function, shape):
    return operations.measure(function, function, True, shape)


def test_operations_are_those_of_the_other_function():
    """A call into a library has no operations that the compiler could count."""
    shape = jax.ShapeDtypeStruct((50, 50), np.float32)
    measured = operations.measure(lambda x: x + 1, lambda x: x @ x, False, shape)
    assert measured.flops == pytest.approx(2 * 50**3, rel=0.01)


def test_short_programs_are_timed(monkeypatch):
    """A sum of ten million numbers takes more than a tenth of a millisecond and less than a second."""
    monkeypatch.setattr(operations, "rate", lambda: 1e12)
    measured = measure(lambda x: (x**2).sum(), jax.ShapeDtypeStruct((10_000_000,), np.float32))
    assert 1e-4 < measured.seconds < 1
    monkeypatch.setattr(operations, "TIMED", 0.0)
    measured = measure(lambda x: x @ x, jax.ShapeDtypeStruct((500, 500), np.float32))
    assert measured.seconds == pytest.approx(2 * 500**3 / (operations.EFFICIENCY * 1e12), rel=0.01)


def test_frames_are_counted(source, device):
    """Three frames take three times as long, and 48 x 48 pixels tell of them."""
    device(1e6)
    one, six = seconds(source), seconds(source, max_iter=12) - seconds(source)
    assert seconds(source, frames=3) - one == pytest.approx(2 * six, rel=0.05)
    config = configs.load("random:tiny")
    config.frames = 3
    assert dict(plan.plan(config, {"sources": [source]}))["output"] == "1 x 3 frames x 48 x 48 px"


def searching(**changes):
    """One octave of 48 px and one term, of single pixels of 16 channels, matched in blocks."""
    config = configs.load("random:tiny")
    config.octaves = 1
    term = dict(name="mrf", layers=dict(conv1_1=1.0), patch=1, stride=1, bank_stride=1, memory=2**18)
    return configs.overridden(config, {"terms": dict(mrf=term | changes)})


@pytest.mark.parametrize("count", [1, 3])
def test_a_search_takes_the_time_of_its_products(count, source, device):
    """48 x 48 patches of the image by 64 x 80 of each source, 2 x 16 operations each; the network takes a twentieth."""
    device(1e6)
    config = searching()
    products = 48 * 48 * count * 64 * 80 * 2 * 16
    got = number(dict(plan.plan(config, {"sources": count * [source]}))["time, about"])
    want = config.max_iter * estimates.ITERATION * products / (operations.EFFICIENCY * 1e6)
    assert want < got < 1.5 * want
    every_third = number(dict(plan.plan(searching(rematch=3), {"sources": count * [source]}))["time, about"])
    assert want / 3 / estimates.ITERATION < every_third < got / 2  # beside it, the network in every step and once more


def test_the_copies_of_a_source_are_searched_too(source, device):
    """Turned to either side, 2000 x 1600 pixels are there three times, but for the edges of two."""
    device(1e9)
    config = searching(rotations=1, bank_stride=8, layers=dict(pixels=1.0))
    config.source.width = 2000
    table = dict(plan.plan(config, {"sources": [source]}))
    one = dict(plan.plan(searching(bank_stride=8, layers=dict(pixels=1.0)), {"sources": [source]}))
    assert number(table["memory, about"]) - number(one["memory, about"]) > 2 * 0.7 * 2000 * 1600 * 3 * 4 / 2**20


def test_what_cannot_run_cannot_be_planned(source):
    config = configs.load("random:tiny")
    config.pyramid.padding, config.octaves = "valid", 8
    with pytest.raises(errors.TexjaxError, match="at most"):
        plan.plan(config, {"sources": [source]})
    config.octaves = 0
    with pytest.raises(errors.TexjaxError, match="octaves is 0"):
        plan.plan(config, {"sources": [source]})


def test_runs_that_share_a_program_share_its_cost(source, device):
    """Seeds and steps are no part of a program: of three runs one is compiled; twice the steps are twice the time."""
    device(1e6)
    estimates._program.cache_clear()
    config = configs.load("random:tiny")
    costs = [
        plan.cost(configs.overridden(config, new), {"sources": [source]}) for new in ({}, {"seed": 3}, {"max_iter": 12})
    ]
    assert estimates._program.cache_info().misses == 1
    assert costs[0].seconds == pytest.approx(costs[1].seconds, rel=0.01)  # reading the source is timed anew
    six = costs[2].seconds - costs[0].seconds
    assert six < costs[0].seconds < 1.2 * six
    assert all((cost.memory, cost.program) == (costs[0].memory, costs[0].program) for cost in costs)


SWEEP = """
from texjax import config as configs

def get_config(arg=None):
    return configs.load("random:tiny")

def sweep(add):
    for octaves in (1, 2, 9):
        add(octaves=octaves)
"""


def test_the_plan_of_a_sweep(source, tmp_path, device, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    device(1e6)
    (tmp_path / "own.py").write_text(SWEEP)
    with pytest.raises(SystemExit) as ended:
        main.main(["sweep", str(tmp_path / "own.py"), str(source), "--sweep-dir", str(tmp_path / "runs"), "--dry-run"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {octaves: line for line in lines for octaves in (1, 2, 9) if f"octaves={octaves} " in line}
    seconds = {octaves: number(rows[octaves].split("MiB")[1]) for octaves in (1, 2)}
    config = configs.load("random:tiny")
    for octaves, planned in seconds.items():
        assert planned == pytest.approx(
            plan.cost(configs.overridden(config, {"octaves": octaves}), {"sources": [source]})[0], abs=0.5
        )
    assert "cannot be run" in rows[9] and "pending" in rows[1]
    total = float(lines[-1].split("about ")[1].split()[0].replace(",", ""))
    assert lines[-1].startswith("3 runs, 2 to be made") and total == pytest.approx(sum(seconds.values()), abs=1.5)
    assert not (tmp_path / "runs").exists()
