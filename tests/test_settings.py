"""Groups of a config that name a function: what is filled in, what is refused, and what is called."""

import inspect
from types import ModuleType
from typing import Any

import pytest
from ml_collections import ConfigDict

from texjax import errors, features, inits, losses, optimizers, settings


def module(**functions: Any) -> ModuleType:
    things = ModuleType("texjax.things")
    things.__dict__.update(functions, __all__=list(functions))
    return things


def thing(x: int, *, factor: int = 2, shift: int) -> int:
    return factor * x + shift


def seeded(path: str = "", *, seed: int = 0) -> tuple[str, int]:
    return path, seed


def test_build():
    things = module(thing=thing, seeded=seeded)
    assert settings.build(things, ConfigDict(dict(name="thing", shift=1)), 10) == 21
    assert settings.build(things, ConfigDict(dict(name="thing", shift=1, factor=3)), 10, seed=5) == 31
    assert settings.build(things, ConfigDict(dict(name="seeded", path="here")), seed=5) == ("here", 5)


PACKAGES = {"features": features, "optimizer": optimizers, "init": inits}


@pytest.mark.parametrize(
    ("key", "name"),
    [(key, name) for key, package in PACKAGES.items() for name in getattr(package, "NAMES", package.__all__)]
    + [("terms.one", name) for name in losses.NAMES],
)
def test_a_group_has_every_keyword_of_its_function(key: str, name: str):
    """Keywords without default have to be given; the seed is that of the whole config."""
    package = losses if key == "terms.one" else PACKAGES[key]
    parameters = inspect.signature(getattr(package, name)).parameters.values()
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY or p.default is not p.empty}
    keywords.pop("seed", None)
    needed = {word: 0.5 for word, default in keywords.items() if default is inspect.Parameter.empty}
    spec = {"name": name, **needed} | ({"layers": {"pixels": 1.0}} if key == "terms.one" else {})
    config = ConfigDict({"terms": {"one": spec}} if key == "terms.one" else {key: spec})
    settings.complete(config)
    own = {"terms.one": settings.TERM, "init": settings.INIT}.get(key, {})
    expected = {**own, **keywords, **spec}
    assert {word: value for word, value in settings.group(config, key).items() if word != "layers"} == {
        word: value for word, value in expected.items() if word != "layers"
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"features": {"name": "vgg18"}}, "unknown name in features 'vgg18'; did you mean 'vgg1"),
        ({"features": {"name": "compact", "pol": "max"}}, r"features.compact has no setting 'pol' \(it has .*pool"),
        ({"features": {"name": "random", "seed": 3}}, "features.random has no setting 'seed'"),
        ({"features": {"pool": "max"}}, "features has no name"),
        ({"terms": {"a": {"name": "gram"}}}, "losses.gram has no setting layers; give it beside the name"),
        ({"terms": {"a": {"name": "between", "layers": {}}}}, "unknown name in losses 'between'"),
        ({"init": {"name": "noise", "mean": 0.5}}, "inits.noise has no setting deviation"),
        ({"init": {"name": "__all__"}}, "unknown name in inits"),
    ],
)
def test_wrong_groups_say_what_is_right(config: dict[str, Any], message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        settings.complete(ConfigDict(config))
