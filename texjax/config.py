"""Configs: load a shipped one by name or a file by path, override it, and build functions from its parts. No JAX here.

A config file defines `get_config(arg=None)`, usually `config = defaults()` and then the method's own keys. Loaded
configs are locked: a misspelt key is an error that names the nearest right one.
"""

import ast
import contextlib
import inspect
import io
import runpy
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from absl import flags
from ml_collections import ConfigDict, FrozenConfigDict, config_flags

from texjax import errors

# An ml_collections ConfigDict; its attributes have no types that a checker could know.
Config: TypeAlias = Any
PACKAGE = Path(__file__).parent


def shipped(folder: str) -> Path:
    """The shipped folder `folder`: inside the package when installed, beside it in a clone."""
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


def names(pattern: str = "*.py") -> list[str]:
    """The shipped configs, by name: methods, and with "ablations/*.py" the sweeps over these."""
    folder = shipped("configs")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob(pattern))


def defaults() -> Config:
    """The keys that every config has, with their defaults; a method adds `features`, `terms` and `init`."""
    config = ConfigDict()
    config.size = (512, 512)  # width, height in pixels
    config.count = 1  # independent outputs
    config.frames = 1  # pictures of each output, made together: an animation
    config.batch_mode = "map"  # or "vmap": several outputs in turn or together
    config.seed = 0  # of everything stochastic
    config.octaves = 4
    config.pyramid = ConfigDict(dict(padding="valid"))
    config.optimizer = ConfigDict(dict(name="lbfgs", history_size=10, range="penalty"))
    config.max_iter = 500
    config.save_every = 10  # steps per device call, and between progress pictures
    config.tol = 1e-9  # relative decrease of the loss in a step below which a run ends; 0: never
    config.patience = 5  # failed line searches in a row that end a run
    # Coarse to fine: steps at each smaller size, half the next one's, before those at full size; () for none, and of
    # more sizes than octaves but one the coarsest are left out. In between the picture is low-passed (deviation in
    # cycles per pixel), and a fresh start has what is above. With keep_octaves each size has all octaves, of its own.
    config.schedule = ConfigDict(dict(steps=(), lowpass=0.06, keep_octaves=False))
    # Every so many steps the picture is rolled by up to so many pixels, and colors up to so much of [0, 1] are added.
    config.jitter = ConfigDict(dict(pixels=0.0, color=0.0, every=20))
    # Width in pixels (it wins), factor to resize sources by, or their longer side in those of the output; 0: as they
    # are; what shows through transparent pixels; and the number of pixels above which a picture is refused.
    config.source = ConfigDict(dict(width=0, scale=0.0, fit=0.0, background=(1.0, 1.0, 1.0), max_pixels=89_478_485))
    config.output = ConfigDict(dict(format="png", bits=8, original_colors=False))  # those of the content
    return config


def parse_arg(arg: str | None, **known: Any) -> Config:
    """Parse the text after a config's colon, such as "tiny,width=64", into `known`'s keys and types.

    A bare name stands for name=True. Raises TexjaxError for an unknown name or a value of another type.
    """
    out = ConfigDict(known)
    for part in filter(None, (arg or "").split(",")):
        name, equals, text = part.partition("=")
        if name not in known:
            raise errors.unknown("config argument", name, known)
        value = True
        if equals:
            value = text
            with contextlib.suppress(ValueError, SyntaxError):
                value = ast.literal_eval(text)
        if type(value) is not type(known[name]):
            kind = type(known[name]).__name__
            raise errors.TexjaxError(f"config argument {name} is of type {kind}, and got '{part}'; give {name}=VALUE.")
        out[name] = value
    return out


def load(spec: str, overrides: Sequence[str] = ()) -> Config:
    """The locked config of `spec`, a shipped name or a path, each with an optional `:arg`.

    overrides: command line words such as "--config.octaves=3".

    Raises TexjaxError where the file is missing or fails, or an override does not fit.
    """
    name, _, arg = spec.partition(":")
    words, first = _joined(overrides), f"--config={_path(name)}{':' + arg if arg else ''}"
    known = _keys(_parse(name, [first]))
    for word in words:
        key, equals, _ = word.removeprefix("--config.").partition("=")
        if not equals:
            raise errors.TexjaxError(f"{word} has no value; give {word}=VALUE.")
        _check_key(key, known)
    return _parse(name, [first, *words])


def overridden(config: Config, changes: Mapping[str, Any]) -> Config:
    """A locked copy of `config` with values by flattened key; a mapping replaces a group as a whole.

    Raises TexjaxError for an unknown key and for a value of another type.
    """
    changed = config.copy_and_resolve_references()
    for key, value in changes.items():
        _check_key(key, _keys(changed))
        group, _, last = key.rpartition(".")
        inner = changed
        for part in filter(None, group.split(".")):
            inner = inner[part]
        try:
            with changed.unlocked():
                if isinstance(inner[last], ConfigDict):
                    inner[last] = ConfigDict(dict(value))
                else:
                    inner[last] = value
        except (TypeError, ValueError):
            kind = "mapping" if isinstance(inner[last], ConfigDict) else type(inner[last]).__name__
            raise errors.TexjaxError(
                f"config key {key} is of type {kind}, and got {value!r}; give a value of that kind."
            ) from None
    return changed.lock()


def sweep(spec: str) -> Callable[..., Any]:
    """The function `sweep(add)` of the config file. Raises TexjaxError where it has none."""
    name = spec.partition(":")[0]
    load(spec)  # says what is wrong with a file that cannot be loaded
    function: Any = runpy.run_path(str(_path(name))).get("sweep")
    if not callable(function):
        raise errors.TexjaxError(f"config {name} declares no sweep; define sweep(add) in it, or choose another config.")
    return function


def _path(name: str) -> Path:
    """The file of the config of that name, or of that path."""
    path = Path(name) if name.endswith(".py") else shipped("configs") / f"{name}.py"
    if not path.is_file():
        if name.endswith(".py"):
            raise errors.TexjaxError(f"config file {name} does not exist; give a path, or one of {', '.join(names())}.")
        raise errors.unknown("config", name, names("**/*.py"))
    return path


def _check_key(key: str, known: Sequence[str]) -> None:
    group, _, last = key.rpartition(".")
    if group.endswith(".layers") and group in known and key not in known:
        raise errors.TexjaxError(
            f"{group} holds no layer {last}; give the mapping as a whole: --config.{group}=\"{{'{last}': 1.0}}\"."
        )
    if key not in known:
        raise errors.unknown("config key", key, known)


def _parse(name: str, words: list[str]) -> Config:
    # The parser runs every file in the module of this name; what the file before it defined would still be there.
    sys.modules.pop("config_config", None)
    values, words = flags.FlagValues(), ["texjax", *words]
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=words, lock_config=True)
    try:
        # The parser prints the whole config beside some errors, and loads config files by a deprecated function.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*load_module", DeprecationWarning)
            values(words)
            return values["config"].value
    except errors.TexjaxError:
        raise
    except flags.IllegalFlagValueError as error:
        if "Error whilst parsing config file" in str(error):  # a whole traceback, whose last line says what failed
            cause = str(error).strip().splitlines()[-1]
            raise errors.TexjaxError(f"config {name} cannot be loaded ({cause}); mend it.") from error
        raise errors.TexjaxError(
            f"{' '.join(str(error).split())[:300]} (config {name}); give a value of that kind."
        ) from error
    except Exception as error:  # a config file is a program and may fail in any way
        text = " ".join(str(error).split())[:300]
        raise errors.TexjaxError(
            f"config {name} cannot be loaded ({type(error).__name__}: {text}); mend it."
        ) from error


def _keys(config: ConfigDict, prefix: str = "") -> list[str]:
    """All keys, dotted, groups among them."""
    keys = []
    for key, value in config.items():
        keys += [prefix + key, *(_keys(value, f"{prefix}{key}.") if isinstance(value, ConfigDict) else ())]
    return keys


def _joined(words: Sequence[str]) -> list[str]:
    """Join "--config.key value" by an equals sign, so that a negative number is not taken for a flag."""
    out: list[str] = []
    for word in words:
        if out and "=" not in out[-1] and not word.startswith("--"):
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


def freeze(config: Config, *, without: Sequence[str] = ()) -> Config:
    """A hashable copy, without the named keys."""
    return FrozenConfigDict({key: value for key, value in config.to_dict().items() if key not in without})


def build(package: ModuleType, spec: Config, *args: Any) -> Any:
    """Call the function of `package` named by `spec["name"]` with `args` and the rest of `spec` as keywords.

    Raises TexjaxError for a name that is not on the package's public list, and for a setting the function lacks.
    """
    settings = {key: value for key, value in spec.items() if key != "name"}
    kind = package.__name__.rpartition(".")[2]
    if spec["name"] not in package.__all__:
        raise errors.unknown(f"name in {kind}", spec["name"], package.__all__)
    function = getattr(package, spec["name"])
    known = {p.name: p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for key in settings:
        if key not in known:
            raise errors.TexjaxError(
                f"{kind}.{spec['name']} has no setting '{key}' (it has {', '.join(known) or 'none'}); "
                f"give the mapping as a whole, such as \"{{'name': '{spec['name']}'}}\"."
            )
    missing = [key for key, p in known.items() if p.default is p.empty and key not in settings]
    if missing:
        raise errors.TexjaxError(f"{kind}.{spec['name']} has no setting {missing[0]}; give it beside the name.")
    return function(*args, **settings)
