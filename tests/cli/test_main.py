"""The command: every flag of subjective-functions sets the right key, and what needs no computing is quick."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texjax import config as configs
from texjax import errors
from texjax.cli import main, synthesize
from texjax.losses import joins


def resolve(*words: str):
    """The config that the command would run with."""
    flags, overrides = main._split(["synthesize", *words])
    return synthesize.resolve(main._parser().parse_args(flags), overrides)


def call(capsys, *words: object) -> str:
    """What the command prints; it has to end well."""
    with pytest.raises(SystemExit) as end:
        main.main(list(map(str, words)))
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    return out


def value(config, key: str):
    for part in key.split("."):
        config = config[part]
    return config.to_dict() if hasattr(config, "to_dict") else config


START = {"name": "noise", "mean": 10 / 255, "deviation": 1 / 255, "group": "sources"}
# Long and short form, what follows, the key and its value; indices as of the reference's `Sequential.layers`.
FLAGS = [
    ("--output-width", "-ow", "200", "size", (200, 200)),
    ("--output-height", "-oh", "200", "size", (72, 200)),
    ("--octaves", "-o", "3", "octaves", 3),
    ("--layers", "-l", "2 7", "terms.gram.layers", {"pool1": 1.0, "conv3_2": 1.0}),
    ("--layers", "-l", "0 10 20", "terms.gram.layers", {"conv1_1": 1.0, "pool3": 1.0, "pool5": 1.0}),
    ("--layers", "-l", "conv1_1 11 pixels", "terms.gram.layers", {"conv1_1": 1.0, "conv4_1": 1.0, "pixels": 1.0}),
    ("--max-iter", "-m", "42", "max_iter", 42),
    ("--save-every", "-n", "7", "save_every", 7),
    ("--source-scale", "-ss", "0.5", "source.scale", 0.5),
    ("--source-width", "-sw", "256", "source.width", 256),
    ("--padding-mode", "-p", "same", "features.padding", "same"),
    ("--padding-mode", "-p", "same", "pyramid.padding", "reflect"),
    ("--padding-mode", "-p", "valid", "pyramid.padding", "valid"),
    ("--padding-mode", "-p", "circular", "features.padding", "circular"),
    ("--padding-mode", "-p", "circular", "pyramid.padding", "circular"),
    *(("--join-mode", "-j", mode, "terms.gram.join", mode) for mode in joins.NAMES),
    ("--count", "-c", "4", "count", 4),
    ("--mul", None, "1.5", "terms.gram.mul", 1.5),
    ("--seed", None, "symmetric", "init.name", "symmetric"),
    ("--seed", None, "random", "init", START),
    ("--init", None, "start.png", "init.path", "start.png"),
    ("--data-dir", "-d", "model_data", "features.weights", "model_data"),
    ("--tol", None, "1e-5", "tol", 1e-5),
    ("--if-weight", None, "0.5", "terms.inter_frame.weight", 0.5),
    ("--if-shift", None, "2.5", "terms.inter_frame.shift", 2.5),
    ("--if-order", None, "3", "terms.inter_frame.order", 3),
    ("--if-distance-type", None, "lap1", "terms.inter_frame.distance_type", "lap1"),
    ("--if-octaves", None, "2", "terms.inter_frame.octaves", 2),
    ("--random-seed", None, "9", "seed", 9),
]


@pytest.mark.parametrize(("long", "short", "words", "key", "expected"), FLAGS)
def test_a_flag_sets_its_key(long, short, words, key, expected):
    for flag in (long, short) if short else (long,):
        assert value(resolve("--config", "snelgrove:tiny", flag, *words.split()), key) == expected


def test_flags_leave_the_rest_as_it_is():
    plain = resolve("--config", "snelgrove:tiny").to_dict()
    changed = resolve("--config", "snelgrove:tiny", "-m", "42", "--seed", "random").to_dict()
    assert changed == plain | {"max_iter": 42}


@pytest.mark.parametrize("words", [["-ow", "300", "-oh", "200"], ["-oh", "200", "-ow", "300"]])
def test_width_and_height(words):
    assert resolve(*words).size == (300, 200)


# The defaults of subjective-functions; its `--count` is always the number of frames.
INTER_FRAME = {"weight": 1.0, "shift": 5.0, "order": 2, "distance_type": "l2", "octaves": 1}


def test_a_flag_of_the_inter_frame_loss_makes_an_animation():
    config = resolve("--config", "snelgrove:tiny", "-c", "6", "--if-order", "3")
    assert (config.count, config.frames) == (1, 6)
    term = config.terms.inter_frame.to_dict()
    assert {key: term[key] for key in INTER_FRAME} == INTER_FRAME | {"order": 3}
    assert (term["name"], term["layers"], term["octave_weights"]) == ("inter_frame", {"pixels": 1.0}, ())
    assert list(config.terms) == ["gram", "inter_frame"] and config.is_locked


def test_an_animation_by_its_config():
    """Flags set its keys and leave the others; without one of them, -c is the number of outputs."""
    plain = configs.load("animation").terms.inter_frame.to_dict()
    config = resolve("--config", "animation", "-c", "6", "--if-shift", "3", "--config.terms.inter_frame.order=4")
    assert (config.count, config.frames) == (1, 6)
    assert config.terms.inter_frame.to_dict() == plain | {"shift": 3.0, "order": 4}
    assert (
        resolve("--config", "animation", "--if-shift", "3", "--config.terms.inter_frame.shift=7.0")
        .terms["inter_frame"]
        .shift
        == 7
    )
    outputs = resolve("--config", "animation", "-c", "6")
    assert (outputs.count, outputs.frames) == (6, configs.load("animation").frames)
    assert resolve("-c", "6", "--if-order", "1", "--config.frames=5", "--config.count=2").frames == 5


def test_mul_is_that_of_novelty():
    assert resolve("--config", "novelty", "--mul", "0.5").terms.novelty.mul == 0.5


def test_flags_that_are_no_keys():
    parse = main._parser().parse_args
    words = "a.png b.png -s c.png d -op rock --output-dir there --run-dir here --dry-run"
    args = parse(["synthesize", *words.split()])
    assert ([*args.sources, *args.source], args.output_prefix) == (["a.png", "b.png", "c.png", "d"], "rock")
    assert (args.output_dir, args.run_dir, args.dry_run) == (Path("there"), Path("here"), True)
    assert parse(["synthesize", "--output-prefix", "x", "--source", "a"]).output_prefix == "x"
    assert parse(["synthesize"]).output_dir == Path("outputs")


@pytest.mark.parametrize(
    ("flags", "override", "key", "expected"),
    [
        ("-m 42", "--config.max_iter=43", "max_iter", 43),
        ("-ow 200", "--config.size=(96,64)", "size", (96, 64)),
        ("-o 3", "--config.octaves=1", "octaves", 1),
        ("-p same", "--config.features.padding=reflect", "features.padding", "reflect"),
        ("-p valid", "--config.pyramid.padding=circular", "pyramid.padding", "circular"),
        ("--mul 2", "--config.terms.gram.mul=3.0", "terms.gram.mul", 3.0),
        ("-l 2 7", "--config.terms.gram.layers.pool1=0.5", "terms.gram.layers", {"pool1": 0.5, "conv3_2": 1.0}),
        ("--seed symmetric", "--config.init={'name':'crop'}", "init", {"name": "crop", "group": "sources"}),
        ("-d here", "--config.features.weights=there", "features.weights", "there"),
    ],
)
def test_an_override_wins_over_a_flag(flags, override, key, expected):
    assert value(resolve("--config", "snelgrove:tiny", *flags.split(), override), key) == expected
    assert value(resolve("--config", "snelgrove:tiny", override, *flags.split()), key) == expected


def test_an_override_with_a_space():
    config = resolve("--config", "random:tiny", "--config.tol", "1e-3", "--octaves", "3", "--config.octaves", "1")
    assert (config.tol, config.octaves) == (1e-3, 1)
    assert resolve("--config.init.contrast", "-0.5").init.contrast == -0.5


def test_an_override_of_a_mapping():
    config = resolve("--config", "snelgrove", "--config.terms.gram.layers={'conv1_1': 2.0}")
    assert config.terms.gram.layers.to_dict() == {"conv1_1": 2.0}


def test_a_start_of_any_path():
    assert resolve("--init", "it's a \\ {start}.png").init.path == "it's a \\ {start}.png"


def test_join_weights():
    config = resolve("--config.terms.gram.join_weights=(1,2.5)", "--config.terms.gram.join_position=1")
    assert (config.terms.gram.join_weights, config.terms.gram.join_position) == ((1, 2.5), 1.0)


def test_the_default_config_needs_no_weights():
    assert resolve().features.name == "compact"


def test_a_config_file_by_path(tmp_path):
    lines = ["def get_config(arg=None):", "    config = defaults()", "    config.seed = 5", "    return config"]
    (tmp_path / "mine.py").write_text("\n".join(["from texjax.config import defaults", *lines, ""]))
    assert resolve("--config", str(tmp_path / "mine.py"), "--config.octaves=2").to_dict()["seed"] == 5


@pytest.mark.parametrize("words", [["--help"], ["synthesize", "--help"], ["transfer", "--help"], ["weights", "--help"]])
def test_help_imports_no_jax(words):
    code = "import sys\nfrom texjax.cli import main\n"
    code += f"try:\n    main.main({words})\nfinally:\n    assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: texjax" in done.stdout


def test_help_names_every_flag_of_the_reference(capsys):
    text = call(capsys, "synthesize", "--help")
    flags = (
        "--output-width -ow --output-height -oh --octaves -o --layers -l --max-iter -m --output-prefix -op "
        "--save-every -n --source-scale -ss --source-width -sw --padding-mode -p --join-mode -j --count -c --mul "
        "--if-weight --if-shift --if-order --if-distance-type --if-octaves --seed --data-dir -d --output-dir --tol "
        "--source -s"
    )
    for flag in flags.split():
        assert f"{flag} " in text or f"{flag}," in text, flag


def test_weights_list(capsys):
    assert "texjax weights fetch vgg16" in call(capsys, "weights", "list")


def test_a_dry_run_tells_and_writes_nothing(tmp_path, capsys, monkeypatch):
    """80 x 64 by half is 40 x 32; circular: 96 -> 48, and a layer as large as its octave; 16 filters of 11 x 11 x 3."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)).save("a.png")
    words = "a.png --config random:tiny -ow 96 -oh 48 -ss 0.5 -c 2 --dry-run"
    out = call(capsys, "synthesize", *words.split())
    lines = {line.split("  ")[0].strip(): " ".join(line.split()) for line in out.splitlines()}
    for key, text in {
        "output": "2 x 96 x 48 px",
        "source a.png": "40 x 32 px",
        "network": "random, 5,808 parameters",
        "octave 0": "96 x 48 px: pixels 96 x 48, conv1_1 96 x 48",
        "octave 1": "48 x 24 px: pixels 48 x 24, conv1_1 48 x 24",
        "optimizer": "lbfgs, at most 6 iterations",
        "memory, about": "MiB",
        "time, about": " s, ",
    }.items():
        assert text in lines[key], lines[key]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_closed_pipe_is_no_error():
    code = "from texjax.cli import main\ndef fail(words):\n    raise BrokenPipeError\nmain._run = fail\nmain.main([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_sentence_once(monkeypatch, capsys):
    def warn(words):
        for sentence in ("a.png: as one.", "b.png: as two.", "a.png: as one."):
            warnings.warn(sentence, errors.TexjaxWarning, stacklevel=1)
        warnings.warn("of another program", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr(main, "_run", warn)
    call_shown = warnings.showwarning
    with pytest.warns(RuntimeWarning, match="of another program"), pytest.raises(SystemExit):
        main.main([])
    assert capsys.readouterr().err == "texjax: a.png: as one.\ntexjax: b.png: as two.\n"
    assert warnings.showwarning is call_shown


def test_the_config_is_json():
    json.dumps(resolve("--config", "snelgrove").to_dict())
