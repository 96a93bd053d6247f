"""Configs: names and paths, overrides and what is said of wrong ones, and building from them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import config as configs
from texjax import errors

OWN = """
from ml_collections import ConfigDict
from texjax.config import defaults, parse_arg

def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, width=32, rate=0.5, kind="a")
    config = defaults()
    config.size = (arg.width, 16)
    layers = dict(pixels=1.0, conv1_1=0.5)
    config.terms = ConfigDict(dict(gram=dict(name="gram", weight=1.0, layers=layers, octave_weights=())))
    config.kind = arg.kind
    config.shift = 0
    if arg.tiny:
        config.max_iter = 6
    return config
"""


@pytest.fixture
def own(tmp_path) -> str:
    """The path of a config file."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return str(path)


def test_by_path_with_arguments(own: str):
    plain, other = configs.load(own), configs.load(f"{own}:tiny,width=64,kind=b")
    assert (plain.size, plain.max_iter, plain.kind) == ((32, 16), 500, "a")
    assert (other.size, other.max_iter, other.kind) == ((64, 16), 6, "b")


def test_by_name():
    assert "snelgrove" in configs.names()
    # The constants of subjective-functions.
    config = configs.load("snelgrove")
    assert config.octaves == 4
    assert config.max_iter == 500
    assert config.terms.gram.layers.to_dict() == {"pool1": 1.0, "conv3_2": 1.0}
    assert config.optimizer.history_size == 10


def test_overrides(own: str):
    words = ["--config.octaves=3", "--config.size=(40, 30)", "--config.terms.gram.layers.pixels=0.25"]
    words += ["--config.tol", "0.5", "--config.shift", "-3", "--config.optimizer.name=adam"]
    config = configs.load(own, words)
    assert (config.octaves, config.size, config.tol, config.shift) == (3, (40, 30), 0.5, -3)
    assert config.terms.gram.layers.to_dict() == {"pixels": 0.25, "conv1_1": 0.5}
    assert config.optimizer.name == "adam"
    untouched = configs.load(own)
    assert (untouched.octaves, untouched.shift) == (4, 0)


def test_a_mapping_is_replaced_as_a_whole(own: str):
    config = configs.load(own, ["--config.terms.gram.layers={'conv3_2': 2.0}"])
    assert dict(config.terms.gram.layers) == {"conv3_2": 2.0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config.octave=3"], "unknown config key 'octave'; did you mean 'octaves'"),
        (["--config.terms.gram.wieght=3"], "did you mean 'terms.gram.weight'"),
        (["--config.optimiser.name=adam"], "did you mean 'optimizer.name'"),
        (["--config.octaves=three"], "octaves.*three.*value of that kind"),
        (["--config.octaves", "2.5"], "value of that kind"),
        (
            ["--config.terms.gram.layers.conv3_2=1.0"],
            r"terms.gram.layers holds no layer conv3_2; .* --config.terms.gram.layers=\"\{'conv3_2': 1.0\}\"",
        ),
    ],
)
def test_wrong_overrides_say_what_is_right(own: str, words: list[str], message: str, capsys):
    with pytest.raises(errors.TexjaxError, match=message):
        configs.load(own, words)
    assert capsys.readouterr().out == ""


def test_changes_by_key(own: str):
    config = configs.load(own)
    changes = {"octaves": 2, "terms.gram.layers": {"pool1": 1.0}, "terms.gram.weight": 3, "size": (8, 8)}
    changed = configs.overridden(config, changes | {"optimizer": {"name": "adam", "range": "clip"}})
    assert (changed.octaves, changed.terms.gram.weight, changed.size) == (2, 3.0, (8, 8))
    assert changed.terms.gram.layers.to_dict() == {"pool1": 1.0}  # and no layer that was there
    assert changed.optimizer.to_dict() == {
        "name": "adam",
        "learning_rate": 0.02,
        "b1": 0.9,
        "b2": 0.999,
        "range": "clip",
    }
    assert changed.terms.gram.name == "gram" and changed.max_iter == config.max_iter
    assert changed.is_locked
    with pytest.raises(AttributeError):
        changed.octave = 3
    assert config.to_dict() == configs.load(own).to_dict()  # the original, and its groups
    assert configs.overridden(config, {}).to_dict() == config.to_dict()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"octave": 3}, "unknown config key 'octave'; did you mean 'octaves'"),
        ({"terms.gram.wieght": 3.0}, "did you mean 'terms.gram.weight'"),
        ({"octaves": "three"}, "config key octaves is of type int, and got 'three'; give a value of that kind"),
        ({"octaves": 2.5}, "octaves is of type int, and got 2.5"),
        ({"kind": 3}, "kind is of type str, and got 3"),
        ({"optimizer": 3}, "optimizer is of type mapping, and got 3"),
        ({"optimizer": {"range": "clip"}}, r"optimizer has no name; give it, such as \"\{'name': 'adam'\}\""),
        ({"optimizer": {"name": "adam", "history_size": 3}}, "optimizers.adam has no setting 'history_size'"),
        ({"optimizer.name": "adm"}, "unknown name in optimizers 'adm'; did you mean 'adam'"),
        ({"terms.gram.layers.conv3_2": 1.0}, "terms.gram.layers holds no layer conv3_2; give the mapping as a whole"),
    ],
)
def test_wrong_changes_say_what_is_right(own: str, changes: dict[str, Any], message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        configs.overridden(configs.load(own), changes)


def test_every_keyword_is_a_key(own: str):
    """Also one that the file leaves out, with the type of its default."""
    config = configs.load(own, ["--config.optimizer.max_linesearch=7", "--config.terms.gram.mul=2"])
    assert (config.optimizer.max_linesearch, config.terms.gram.mul) == (7, 2.0)
    with pytest.raises(errors.TexjaxError, match=r"max_linesearch.*value of that kind"):
        configs.load(own, ["--config.optimizer.max_linesearch=some"])


def test_another_name_brings_its_own_defaults(own: str):
    """What the config has set on purpose stays; what it left to the defaults is those of the new function."""
    config = configs.load(own, ["--config.optimizer={'name': 'lbfgs', 'range': 'sigmoid', 'history_size': 10}"])
    changed = configs.overridden(config, {"optimizer.name": "adam"})
    assert changed.optimizer.to_dict() == {
        "name": "adam",
        "learning_rate": 0.02,
        "b1": 0.9,
        "b2": 0.999,
        "range": "sigmoid",
    }
    words = ["--config.optimizer.b1=0.5", "--config.optimizer.name=adam"]  # in any order
    assert configs.load(own, words).optimizer.to_dict() == {
        "name": "adam",
        "learning_rate": 0.02,
        "b1": 0.5,
        "b2": 0.999,
        "range": "clip",
    }
    with pytest.raises(errors.TexjaxError, match=r"optimizers\.adam has no setting 'history_size'"):
        configs.overridden(configs.load(own, ["--config.optimizer.history_size=7"]), {"optimizer.name": "adam"})


def test_the_file_runs_once(tmp_path):
    path, marks = tmp_path / "counted.py", tmp_path / "marks"
    path.write_text(OWN + f"\nwith open({str(marks)!r}, 'a') as file:\n    file.write('x')\n")
    configs.load(f"{path}:tiny", ["--config.octaves=3", "--config.optimizer.name=adam"])
    assert marks.read_text() == "x"


def test_sweep_of_a_config(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN + '\ndef sweep(add):\n    add(octaves=2)\n    add(arg="tiny", **{"terms.gram.weight": 2.0})\n')
    added: list[dict[str, Any]] = []
    configs.sweep(f"{path}:width=64")(lambda **overrides: added.append(overrides))
    assert added == [{"octaves": 2}, {"arg": "tiny", "terms.gram.weight": 2.0}]


def test_no_sweep(own: str, tmp_path):
    for spec in (own, "texture", "texture:tiny"):
        with pytest.raises(errors.TexjaxError, match="declares no sweep; define sweep"):
            configs.sweep(spec)
    with pytest.raises(errors.TexjaxError, match="unknown config 'ablations/octave'; did you mean 'ablations/octaves'"):
        configs.sweep("ablations/octave")
    (tmp_path / "bad.py").write_text("x = 1")
    with pytest.raises(errors.TexjaxError, match=r"bad\.py cannot be loaded.*get_config"):
        configs.sweep(str(tmp_path / "bad.py"))


def test_the_config_is_locked(own: str):
    config = configs.load(own)
    with pytest.raises(AttributeError):
        config.octave = 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("snelgrov", "unknown config 'snelgrov'; did you mean 'snelgrove'"),
        ("missing.py", r"missing\.py does not exist.*snelgrove"),
        ("snelgrove:tyni", "unknown config argument 'tyni'; did you mean 'tiny'"),
        ("snelgrove:tiny=3", "tiny is of type bool, and got 'tiny=3'"),
    ],
)
def test_wrong_names(spec: str, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        configs.load(spec)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def get_config(:", "SyntaxError"),
        ("raise ValueError('no luck')", "ValueError: no luck"),
        ("x = 1", "get_config"),
    ],
)
def test_a_file_that_fails(tmp_path, text: str, message: str):
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(errors.TexjaxError, match=f"bad.py cannot be loaded.*{message}"):
        configs.load(str(tmp_path / "bad.py"))


@settings(max_examples=50)
@given(width=st.integers(-(10**6), 10**6), rate=st.floats(0.001, 1000), tiny=st.booleans())
def test_arguments_come_back(width: int, rate: float, tiny: bool):
    got = configs.parse_arg(f"width={width},tiny={tiny},rate={rate!r}", width=1, rate=0.5, tiny=False, kind="a")
    assert got.to_dict() == {"width": width, "rate": rate, "tiny": tiny, "kind": "a"}


@pytest.mark.parametrize("arg", [None, "", ","])
def test_no_argument_is_the_defaults(arg: str | None):
    assert configs.parse_arg(arg, tiny=False, width=3).to_dict() == {"tiny": False, "width": 3}


@pytest.mark.parametrize("arg", ["width=1.5", "width=a", "width", "tiny=1", "kind=3", "width="])
def test_arguments_of_another_type_are_refused(arg: str):
    name = arg.partition("=")[0]
    with pytest.raises(errors.TexjaxError, match=f"config argument {name} is of type"):
        configs.parse_arg(arg, width=1, tiny=False, kind="a")


def test_frozen_configs_are_hashed_by_value(own: str):
    one, same, other = (
        configs.load(own, [f"--config.octaves={n}", f"--config.seed={s}"]) for n, s in ((3, 1), (3, 2), (2, 1))
    )
    first, second = (configs.freeze(config, without=("seed",)) for config in (one, same))
    assert first == second
    assert len({first, second, configs.freeze(other, without=("seed",))}) == 2
    assert configs.freeze(one) != configs.freeze(same)
    assert "seed" not in first
    one.octaves = 5
    assert first.octaves == 3
