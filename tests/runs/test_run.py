"""Whole runs through the command, from pictures to a run directory."""

import hashlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import png
import pytest
from PIL import Image, ImageSequence

from texjax import config as configs
from texjax import images, interrupts
from texjax.cli import main, synthesize
from texjax.runs import records, run
from texjax.synthesis import loop, optimize

# 48 px, 2 octaves, 6 steps, 3 at a time; sources are analyzed as they are, whether they tile or not.
TINY = ("--config", "random:tiny", "--config.source.flatten=none", "--config.source.padding=circular")
COLUMNS = {"step", "seconds", "loss", "terms", "gradient", "evaluations", "failed", "low", "high"}
ADAM = "--config.optimizer={'name': 'adam', 'learning_rate': 0.004}"  # quickest to compile
COMPILED = "/jax/core/compile/backend_compile_duration"


class Run(NamedTuple):
    """What a run left."""

    code: int
    out: str
    where: Path

    def read(self, name: str) -> Any:
        return json.loads((self.where / name).read_text())

    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.where / "metrics.jsonl").read_text().splitlines()]

    def losses(self) -> np.ndarray:
        return np.array([line["loss"] for line in self.metrics()])

    def pixels(self, name: str = "image.png") -> np.ndarray:
        return np.asarray(Image.open(self.where / name).convert("RGB"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(80) / 3)[None, :, None] * np.sin(np.arange(64) / 4)[:, None, None]
    textures = {
        "a": 120 + 60 * waves + rng.normal(0, 20, (64, 80, 3)),
        "b": 90 + rng.normal(0, 40, (64, 80, 3)),
        "other": 200 + rng.normal(0, 20, (56, 50, 3)),
    }
    for name, texture in textures.items():
        Image.fromarray(texture.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in textures}


def call(where: Path, *words: object) -> Run:
    """Run `texjax synthesize` in this process, into `where`."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        lines: list[str] = []
        patch.setattr("rich.console.Console.print", lambda self, text="", *args, **settings: lines.append(str(text)))
        main.main(["synthesize", *map(str, words), "--run-dir", str(where)])
    return Run(int(end.value.code or 0), "\n".join(lines), where)


@pytest.fixture(scope="module")
def tiny(pictures, tmp_path_factory) -> Run:
    return call(tmp_path_factory.mktemp("runs") / "tiny", pictures["a"], *TINY)


def sha256(pixels: np.ndarray) -> str:
    """Of the bytes of the image, float32 in [0, 1], row by row."""
    return hashlib.sha256((pixels.astype(np.float32) / np.float32(255)).astype("<f4").tobytes()).hexdigest()


def test_the_files_of_a_run(tiny):
    assert tiny.code == 0
    paths = [path.relative_to(tiny.where) for path in tiny.where.rglob("*") if path.is_file()]
    assert {path.parts[:2] for path in paths if path.parts[0] == "checkpoints"} == {("checkpoints", "6")}
    assert sorted(str(path) for path in paths if path.parts[0] != "checkpoints") == sorted(
        ["config.json", "run.json", "metrics.jsonl", "loss.png", "image.png"]
        + [f"progress/I{step:04d}_F0000.png" for step in (0, 3, 6)]
    )


def test_what_is_said_at_the_end(tiny):
    first, path = tiny.out.splitlines()
    assert first.startswith("finished after 6 steps, loss ")
    assert float(first.split("loss ")[1].split(",")[0]) == pytest.approx(tiny.losses()[-1], rel=1e-4)
    assert path == str(tiny.where / "image.png")


def test_metrics(tiny):
    lines = tiny.metrics()
    assert [line["step"] for line in lines] == list(range(7))
    assert all(set(line) == COLUMNS for line in lines)
    numbers = np.array([[line[key] for key in COLUMNS - {"terms"}] for line in lines], float)
    assert np.isfinite(numbers).all()
    losses = tiny.losses()
    assert losses[-1] < 0.99 * losses[0] and (np.diff(losses) <= 0).all()
    np.testing.assert_allclose([line["terms"]["gram"] for line in lines], losses, rtol=1e-6)
    for key in ("seconds", "evaluations"):
        assert (np.diff([line[key] for line in lines]) > 0).all()


def test_the_config_is_the_resolved_one(tiny, pictures):
    args = main._parser().parse_args(["synthesize", str(pictures["a"]), *TINY[:2]])
    assert tiny.read("config.json") == json.loads(json.dumps(synthesize.resolve(args, TINY[2:]).to_dict()))


def test_the_record_is_complete(tiny, pictures):
    record = tiny.read("run.json")
    assert set(record) == {
        *("command", "source_paths", "sources", "weights_sha256", "seed", "started", "versions", "platform", "devices"),
        *("status", "steps", "seconds", "peak_bytes", "backend", "backend_reason"),
        *("tile", "history_size", "resumed", "rollbacks", "results"),
    }
    assert (record["tile"], record["history_size"], record["resumed"], record["rollbacks"]) == (0, 10, [], 0)
    digest = hashlib.sha256((tiny.where / "image.png").read_bytes()).hexdigest()
    assert record["results"] == {"image.png": digest}
    assert (record["status"], record["steps"], record["seed"]) == ("finished", 6, 0)
    assert record["source_paths"] == [str(pictures["a"])]
    assert record["sources"] == [{"name": "a.png", "sha256": sha256(np.asarray(Image.open(pictures["a"])))}]
    for package in ("texjax", "jax", "jaxlib", "flax", "jaxopt", "optax", "numpy"):
        assert record["versions"][package] == importlib.metadata.version(package)
    assert len(record["devices"]) == jax.device_count()
    assert abs(time.time() - time.mktime(time.strptime(record["started"][:19], "%Y-%m-%dT%H:%M:%S"))) < 3600
    assert 0 < record["seconds"] < 600 and record["peak_bytes"] > 2**20
    # The filters, as their module says: normal numbers without mean and of unit norm.
    kernel = jax.random.normal(jax.random.key(0), (11, 11, 3, 16))
    kernel = kernel - kernel.mean((0, 1, 2), keepdims=True)
    kernel = kernel / np.sqrt((kernel**2).sum((0, 1, 2), keepdims=True))
    assert record["weights_sha256"] == hashlib.sha256(np.asarray(kernel, "<f4").tobytes()).hexdigest()


def test_the_picture(tiny):
    assert tiny.pixels().shape == (48, 48, 3)
    np.testing.assert_array_equal(tiny.pixels(), tiny.pixels("progress/I0006_F0000.png"))
    assert (tiny.pixels() != tiny.pixels("progress/I0000_F0000.png")).any()
    about = json.loads(images.read_text(tiny.where / "image.png")["texjax"])
    assert about["config"] == tiny.read("config.json")
    assert {key: about[key] for key in ("sources", "weights_sha256")} == {
        key: tiny.read("run.json")[key] for key in ("sources", "weights_sha256")
    }


def test_the_start_has_the_mean_color(tiny, pictures):
    """Noise of deviation 2 about the mean color; the mean of 48 x 48 pixels strays by 0.04, rounding by less."""
    start = tiny.pixels("progress/I0000_F0000.png").astype(float)
    source = np.asarray(Image.open(pictures["a"]), float)
    np.testing.assert_allclose(start.mean((0, 1)), source.mean((0, 1)), atol=0.3)
    np.testing.assert_allclose(start.std((0, 1)), 2.02, atol=0.15)  # with the variance of rounding, 1/12


def test_the_same_again_is_the_same(tiny, pictures, tmp_path):
    again = call(tmp_path / "again", pictures["a"], *TINY)
    assert (again.where / "image.png").read_bytes() == (tiny.where / "image.png").read_bytes()
    np.testing.assert_array_equal(again.losses(), tiny.losses())


def test_another_seed_differs(tiny, pictures, tmp_path):
    other = call(tmp_path / "other", pictures["a"], *TINY, "--random-seed", 1)
    assert other.read("run.json")["seed"] == 1
    assert (other.pixels() != tiny.pixels()).mean() > 0.3


def test_nothing_compiles_twice(tiny, pictures, tmp_path):
    """Another source of the same size, another seed, other numbers of steps, other files: the programs are there."""
    counted: list[str] = []

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if event == COMPILED:
            counted.append(event)

    words = ["--random-seed", 2, "-m", 7, "--tol", 1e-4, "--config.output.bits=16", "--config.init.deviation=0.1"]
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.jit(lambda x: x * 3.7)(1.5)  # that the listener hears
        heard = len(counted)
        assert call(tmp_path / "second", pictures["b"], *TINY, *words).code == 0
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert heard > 0
    assert len(counted) == heard


def test_sources_of_several_sizes(tiny, pictures, tmp_path):
    both = call(tmp_path / "both", pictures["a"], "-s", pictures["other"], *TINY)
    assert both.code == 0
    assert [source["name"] for source in both.read("run.json")["sources"]] == ["a.png", "other.png"]
    assert abs(both.losses()[0] / tiny.losses()[0] - 1) > 0.01  # the target is another one


def test_a_folder_of_sources(pictures, tmp_path):
    got = call(tmp_path / "all", pictures["a"].parent, *TINY, "-m", 1)
    assert [source["name"] for source in got.read("run.json")["sources"]] == ["a.png", "b.png", "other.png"]


@pytest.mark.parametrize("words", [["-ss", "0.5"], ["-sw", "40"], ["-sw", "40", "-ss", "3"]])
def test_a_resized_source(words, pictures, tmp_path):
    """80 x 64 becomes 40 x 32, by Pillow's Lanczos on floats; the width wins over the factor."""
    got = call(tmp_path / "resized", pictures["a"], *TINY, *words, "-m", 1)
    source = (np.asarray(Image.open(pictures["a"])) / np.float32(255)).astype(np.float32)
    channels = [Image.fromarray(np.ascontiguousarray(source[..., k])) for k in range(3)]
    small = np.stack([np.asarray(c.resize((40, 32), Image.Resampling.LANCZOS)) for c in channels], -1).clip(0, 1)
    assert got.read("run.json")["sources"][0]["sha256"] == hashlib.sha256(small.astype("<f4").tobytes()).hexdigest()


def test_a_transparent_source_lies_on_the_background(pictures, tmp_path):
    color = np.asarray(Image.open(pictures["a"]))
    alpha = np.full(color.shape[:2], 255, np.uint8)
    alpha[:32] = 0
    Image.fromarray(np.dstack([color, alpha])).save(tmp_path / "see-through.png")
    got = call(
        tmp_path / "run",
        tmp_path / "see-through.png",
        *TINY,
        "-m",
        1,
        "--config.source.background=(1.0,0.0,0.0)",
    )
    color = color.copy()
    color[:32] = 255, 0, 0
    assert got.read("run.json")["sources"][0]["sha256"] == sha256(color)


def test_sixteen_bits(tiny, pictures, tmp_path):
    got = call(tmp_path / "deep", pictures["a"], *TINY, "--config.output.bits=16")
    w, h, rows, info = png.Reader(bytes=(got.where / "image.png").read_bytes()).read()
    deep = np.stack([np.asarray(row, float) for row in rows]).reshape(h, w, 3) / 65535
    assert info["bitdepth"] == 16
    # The same picture before it is rounded to 8 bits.
    np.testing.assert_allclose(deep, tiny.pixels() / 255, atol=0.5 / 255 + 1e-4)
    assert (np.abs(deep * 255 - np.rint(deep * 255)) > 0.1).any()


@pytest.mark.parametrize("kind", ["tiff", "jpg"])
def test_other_formats(kind, tiny, pictures, tmp_path):
    got = call(tmp_path / kind, pictures["a"], *TINY, f"--config.output.format={kind}")
    assert got.out.splitlines()[-1] == str(got.where / f"image.{kind}")
    wanted = tiny.pixels()
    if kind == "jpg":  # the same pixels through Pillow's encoder
        Image.fromarray(wanted).save(tmp_path / "wanted.jpg", quality=95, subsampling=0)
        wanted = np.asarray(Image.open(tmp_path / "wanted.jpg"))
    np.testing.assert_array_equal(got.pixels(f"image.{kind}"), wanted)
    about = json.loads(images.read_text(got.where / f"image.{kind}")["texjax"])
    assert about["config"] == got.read("config.json")


def test_the_last_steps_may_be_fewer(pictures, tmp_path):
    got = call(tmp_path / "five", pictures["a"], *TINY, "-m", 5)
    assert [line["step"] for line in got.metrics()] == list(range(6))
    assert sorted(p.name[:5] for p in (got.where / "progress").iterdir()) == ["I0000", "I0003", "I0005"]


def test_a_tolerance_ends_a_run(pictures, tmp_path):
    got = call(tmp_path / "tolerant", pictures["a"], *TINY, "-m", 60, "--tol", 0.9)
    record = got.read("run.json")
    assert got.code == 0 and record["status"] == "converged"
    assert record["steps"] == 3 and got.out.startswith("converged after 3 steps")


def test_a_fresh_directory_each(pictures, tmp_path, monkeypatch, capsys):
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            main.main(["synthesize", str(pictures["a"]), *TINY, "-op", "x", "-m", "1", "--output-dir", str(tmp_path)])
        assert end.value.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "x.Lpixels,conv1_1.o2.48x48",
        "x.Lpixels,conv1_1.o2.48x48.0",
    ]
    assert "x.Lpixels,conv1_1.o2.48x48.0/image.png\n" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["map", pytest.param("vmap", marks=pytest.mark.slow)])
def test_an_output_is_the_same_in_any_company(mode, tiny, pictures, tmp_path):
    """Three outputs at once: all differ, and the first is that of a run alone, but for rounding."""
    got = call(tmp_path / "three", pictures["a"], *TINY, "-c", 3, f"--config.batch_mode={mode}")
    names = [f"image_{i:04d}.png" for i in range(3)]
    assert sorted(path.name for path in got.where.glob("image*")) == names
    assert got.out.splitlines()[1:] == [str(got.where / name) for name in names]
    assert len(list((got.where / "progress").iterdir())) == 3 * 3
    stack = np.stack([got.pixels(name) for name in names]).astype(int)
    assert all((stack[i] != stack[j]).mean() > 0.3 for i, j in ((0, 1), (0, 2), (1, 2)))
    assert got.losses().shape == (7, 3)
    np.testing.assert_allclose(got.losses()[:, 0], tiny.losses(), rtol=1e-3)
    assert np.abs(stack[0] - tiny.pixels()).max() <= 1


@pytest.fixture
def compilations():
    """A list that gets an entry for every program that XLA compiles."""

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if event == COMPILED:
            counted.append(event)

    counted: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(listen)
    yield counted
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.slow
@pytest.mark.thorough
def test_matches_that_hold_for_some_steps(pictures, tmp_path, compilations):
    """Two outputs, two sizes, periods that divide neither each other nor the chunks: a row a step, one program."""
    mrf = {"name": "mrf", "weight": 1.0, "layers": {"conv1_1": 1.0}, "octave_weights": ()}
    terms = {"two": mrf | {"rematch": 2}, "five": mrf | {"rematch": 5, "layers": {"pixels": 1.0}}, "every": mrf}
    words = [*TINY, ADAM, f"--config.terms={terms}", "-c", 2, "--config.schedule.steps=(4,)"]
    got = call(tmp_path / "held", pictures["a"], *words)
    assert got.code == 0
    assert [line["step"] for line in got.metrics()] == list(range(11))
    assert np.isfinite(got.losses()).all() and (got.losses()[-1] < got.losses()[5]).all()
    compilations.clear()
    assert call(tmp_path / "again", pictures["b"], *words, "--random-seed", 2).code == 0
    assert compilations == []


MOVIES = ("animation.webp", "animation.gif")
ANIMATION = ("--config", "animation:tiny", ADAM, "-c", 4, "--if-octaves", 2)


@pytest.fixture(scope="module")
def animation(pictures, tmp_path_factory) -> Run:
    return call(tmp_path_factory.mktemp("runs") / "animation", pictures["a"], *ANIMATION)


def test_an_animation(animation):
    names = [f"image_{i:04d}.png" for i in range(4)]
    assert animation.code == 0
    assert animation.out.splitlines()[1:7] == [str(animation.where / n) for n in (*names, *MOVIES)]
    frames = np.stack([animation.pixels(name) for name in names]).astype(int)
    assert all((frames[i] != frames[j]).mean() > 0.3 for i in range(4) for j in range(i))
    files = sorted(path.name for path in (animation.where / "progress").iterdir())
    assert files == [f"I{step:04d}_F{i:04d}.png" for step in (0, 3, 6) for i in range(4)]
    for name in MOVIES:
        with Image.open(animation.where / name) as movie:
            assert (len(list(ImageSequence.Iterator(movie))), movie.size) == (4, (48, 48))
    losses = animation.losses()
    assert losses.shape == (7,) and losses[-1] < losses[0]
    assert set(animation.metrics()[0]["terms"]) == {"gram", "inter_frame"}


def test_the_same_animation_again_is_the_same(animation, pictures, tmp_path):
    again = call(tmp_path / "again", pictures["a"], *ANIMATION)
    for name in ("image_0003.png", *MOVIES):
        assert (again.where / name).read_bytes() == (animation.where / name).read_bytes()
    np.testing.assert_array_equal(again.losses(), animation.losses())


@pytest.mark.parametrize("mode", ["map", pytest.param("vmap", marks=pytest.mark.slow)])
def test_several_animations(mode, animation, pictures, tmp_path):
    """Two outputs of four frames: the first is that of a run alone, but for rounding; each has its movies."""
    words = (*ANIMATION, "--config.frames=4", "--config.count=2", f"--config.batch_mode={mode}")
    got = call(tmp_path / "two", pictures["a"], *words)
    assert len(list(got.where.glob("image_*.png"))) == 8
    assert {path.name for path in got.where.glob("animation_*.webp")} == {
        "animation_0000.webp",
        "animation_0001.webp",
    }
    assert got.losses().shape == (7, 2)
    np.testing.assert_allclose(got.losses()[:, 0], animation.losses(), rtol=1e-3)
    assert np.abs(got.pixels("image_0003.png").astype(int) - animation.pixels("image_0003.png")).max() <= 1
    assert (got.pixels("image_0004.png") != got.pixels("image_0000.png")).mean() > 0.3


def test_an_interrupt_keeps_the_result(pictures, tmp_path, monkeypatch):
    """Ctrl-C after three steps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest runs in the background
    write = records.write_progress

    def interrupt(directory: Path, step: int, stack: np.ndarray) -> None:
        write(directory, step, stack)
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(records, "write_progress", interrupt)
    got = call(tmp_path / "cut", pictures["a"], *TINY)
    signal.signal(signal.SIGINT, before)
    assert got.code == 130
    assert (got.read("run.json")["status"], got.read("run.json")["steps"]) == ("interrupted", 3)
    assert got.out.splitlines()[-1] == str(got.where / "image.png")
    np.testing.assert_array_equal(got.pixels(), got.pixels("progress/I0003_F0000.png"))
    assert (got.where / "loss.png").exists() and len(got.metrics()) == 4


def test_an_interrupt_before_the_first_step(pictures, tmp_path, monkeypatch):
    def interrupt(*_: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "iterate", interrupt)
    got = call(tmp_path / "cut", pictures["a"], *TINY)
    assert got.code == 130
    assert (got.read("run.json")["status"], got.read("run.json")["steps"]) == ("interrupted", 0)
    assert got.pixels().shape == (48, 48, 3)


def test_an_interrupt_before_anything_is_optimized_leaves_nothing(pictures, tmp_path, monkeypatch):
    def interrupt(*_: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(optimize, "targets", interrupt)
    assert call(tmp_path / "cut", pictures["a"], *TINY).code == 130
    assert not (tmp_path / "cut").exists()


def test_a_loss_that_is_no_number(pictures, tmp_path, capsys):
    """A target whose square overflows float32: one sentence, and the picture before it is kept."""
    got = call(tmp_path / "nan", pictures["a"], *TINY, ADAM, "--mul", 1e25)
    assert got.code == 2
    assert "the loss is no number" in capsys.readouterr().err
    assert got.read("run.json")["status"] == "failed" and got.pixels().shape == (48, 48, 3)


def test_the_watcher_sees_every_iterate(pictures, tmp_path):
    seen: list[int] = []
    config = configs.load("random:tiny")
    result = run.synthesize(
        config,
        {"sources": [pictures["a"]]},
        lambda parts: records.exact(tmp_path / "seen"),
        lambda now: seen.append(now.step),
    )
    assert seen == [0, 3, 6]
    assert (result.status, result.steps, result.paths) == ("finished", 6, [tmp_path / "seen" / "image.png"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_from_outside(number, pictures, tmp_path):
    """As a terminal, Slurm or a closed terminal sends it, at any moment of a long run; sent twice, it is the same."""
    where = tmp_path / "long"
    words = [str(pictures["a"]), *TINY, "-m", "1000000", "--tol", "0", "--config.patience=1000000"]
    awake = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored in the background
    code = f"{awake}; from texjax.cli import main; main.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "synthesize", *words, "--run-dir", str(where)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TEXJAX_COMPILATION_CACHE": "0"},
    )
    begin = time.monotonic()
    while not (where / "progress" / "I0006_F0000.png").exists() and process.poll() is None:
        assert time.monotonic() - begin < 300, "no progress"
        time.sleep(0.05)
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + number, interrupts.NOTICE.decode())
    assert "interrupted after" in out and str(where / "image.png") in out
    assert json.loads((where / "run.json").read_text())["status"] == "interrupted"
    Image.open(where / "image.png").load()


@pytest.mark.slow
def test_snelgrove_with_real_weights(pictures, test_data, tmp_path):
    weights = test_data / "weights" / "vgg19_notop_block1-3.h5"
    if not weights.is_file():
        pytest.skip(f"{weights} is missing")
    got = call(tmp_path / "snelgrove", pictures["a"], "--config", "snelgrove:tiny", "-sw", 96, "-d", weights)
    assert got.code == 0
    assert got.pixels().shape == (72, 72, 3)
    losses = got.losses()
    assert len(losses) == 7 and np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]
