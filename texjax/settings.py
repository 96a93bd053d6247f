"""Groups of a config that name a function: their keys are filled from that function's signature.

A group with the key `name`, such as `features` or a term, names a function of a package, and its other keys are keyword
arguments of that function.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from texjax import errors

# Keys of every term beside the settings of its loss, with their defaults; see `types.Term` and `types.Exemplars`.
TERM = {
    "weight": 1.0,
    "when": "always",
    "layers": inspect.Parameter.empty,
    "octave_weights": (),
    "group": "sources",
    "rotations": 0,
    "scales": 0,
}
# Keys of the start beside the settings of its function.
INIT = {"group": "sources"}


def complete(config: Any) -> None:
    """Fill the groups of `config` that name a function from that function's signature, in place.

    Raises TexjaxError for a name or a setting that does not exist, and for a setting without default that is missing.
    """
    with config.unlocked():
        for key, package, extra in _named_groups(config):
            spec = group(config, key)
            if "name" not in spec:
                raise errors.TexjaxError(f"{key} has no name; give it, such as \"{{'name': '{_names(package)[0]}'}}\".")
            known = _settings(package, spec["name"])
            _check_settings(spec, package, known, extra)
            for name, default in {**extra, **known}.items():
                if name not in spec:
                    spec[name] = default


def _named_groups(config: Any) -> Iterator[tuple[str, ModuleType, dict[str, Any]]]:
    """Flattened key, package and further keys of each group that names a function."""
    # Imported late: they import JAX, and a command's --help shall answer at once.
    from texjax import features, generators, inits, losses, optimizers

    for key, package, extra in (
        ("generator", generators, {}),
        ("features", features, {}),
        ("optimizer", optimizers, {}),
        ("init", inits, INIT),
    ):
        if key in config:
            yield key, package, extra
    for name in config.get("terms", {}):
        yield f"terms.{name}", losses, TERM


def group(config: Any, key: str) -> Any:
    """Return the group, or the value, of a flattened key; an empty key is the config itself."""
    for part in filter(None, key.split(".")):
        config = config[part]
    return config


def _names(package: ModuleType) -> Sequence[str]:
    """The functions of a package that a config may name."""
    return getattr(package, "NAMES", package.__all__)


def _settings(package: ModuleType, name: str) -> dict[str, Any]:
    """The settings of a function with their defaults; the seed is no setting, as all seeds are `config.seed`."""
    if name not in _names(package):
        raise errors.unknown(f"name in {package.__name__.rpartition('.')[2]}", name, _names(package))
    parameters = inspect.signature(getattr(package, name)).parameters.values()
    return {p.name: p.default for p in parameters if _is_setting(p) and p.name != "seed"}


def _is_setting(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty


def _check_settings(spec: Any, package: ModuleType, known: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Raise TexjaxError for a key that the named function lacks, and for a missing one without default."""
    function = f"{package.__name__.rpartition('.')[2]}.{spec['name']}"
    for key in spec:
        if key != "name" and key not in known and key not in extra:
            raise errors.TexjaxError(
                f"{function} has no setting '{key}' (it has {', '.join(known) or 'none'}); give the mapping as a "
                f"whole, such as \"{{'name': '{spec['name']}'}}\"."
            )
    for key, default in {**extra, **known}.items():
        if default is inspect.Parameter.empty and key not in spec:
            raise errors.TexjaxError(f"{function} has no setting {key}; give it beside the name.")


def forget_defaults(config: Any, key: str) -> None:
    """Before `key` changes the name of a function: remove the settings that have the old function's defaults.

    So the new function gets its own defaults, and keeps what the config has set on purpose.
    """
    changed, _, last = key.rpartition(".")
    named = {group_key: package for group_key, package, _ in _named_groups(config)}
    if last != "name" or changed not in named:
        return
    spec = group(config, changed)
    for name, default in _settings(named[changed], spec["name"]).items():
        if name in spec and spec[name] == default:
            with config.unlocked():
                del spec[name]


def build(package: ModuleType, spec: Any, *args: Any, seed: int = 0) -> Any:
    """Call the function of `package` named by `spec["name"]` with `args` and the rest of `spec` as keywords.

    seed: passed on where the function takes one. `spec` is a group of a complete config, see `complete`.
    """
    function = getattr(package, spec["name"])
    settings = {key: value for key, value in spec.items() if key != "name"}
    if "seed" in inspect.signature(function).parameters:
        settings["seed"] = seed
    return function(*args, **settings)
