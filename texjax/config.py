"""Configs: load a shipped one by name or a file by path, override it, and build functions from its parts.

A config file defines `get_config(arg=None)`, usually `config = defaults()` and then the method's own keys. A group with
the key `name`, such as `features` or a term, names a function of a package, and its other keys are keyword arguments of
that function. Keys that the file leaves out are filled from the function's signature, so that defaults stand in one
place and every keyword can be overridden. Loaded configs are locked: a misspelt key is an error that names the nearest
right one.

Importing this module imports no JAX; loading a config does, for the signatures.
"""

import ast
import contextlib
import io
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from absl import flags
from ml_collections import ConfigDict, FrozenConfigDict, config_flags

from texjax import errors, settings, shipped

# An ml_collections ConfigDict, whose attributes have no types that a checker could know.
Config: TypeAlias = Any

# Groups of pictures that a term, or the start, may look at.
GROUPS = ("sources", "content", "analogy")
# The group of files from whose crops a generator learns to restyle photographs.
PHOTOS = "photos"


def names(pattern: str = "*.py") -> list[str]:
    """Return the names of the shipped configs: methods, or with "ablations/*.py" the sweeps over these."""
    folder = shipped.folder("configs")
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob(pattern))


def defaults() -> Config:
    """Return the keys that every config has, with their defaults; a method adds `features`, `terms` and `init`."""
    config = ConfigDict()
    config.size = (512, 512)  # width, height in pixels
    config.count = 1  # independent outputs
    config.frames = 1  # pictures of each output, optimized together: an animation
    config.batch_mode = "map"  # or "vmap": several outputs in turn or together
    config.devices = "one"  # or "all": several outputs, or the rows of a single one, are spread over all devices
    config.seed = 0  # of everything stochastic
    config.octaves = 4
    config.pyramid = ConfigDict(dict(padding="valid"))
    config.optimizer = ConfigDict(dict(name="lbfgs"))
    config.max_iter = 500
    # Octaves that are larger than `tile` pixels are computed in tiles of at most this side, which takes the memory of
    # one tile and gives the same picture; 0: in tiles where the run would not fit into memory otherwise.
    config.tile = 0
    config.memory_budget = ""  # bytes that a run may take, such as "8GiB"; "": what is free
    config.save_every = 10  # steps per device call, and between progress pictures
    # Seconds, and steps, after which a run saves where it stands, so that it can go on from there; 0: not by time, or
    # not by steps.
    config.checkpoint_every = 60.0
    config.checkpoint_steps = 0
    config.tol = 1e-9  # relative decrease of the loss in a step below which a run ends; 0: never
    config.patience = 5  # failed line searches in a row that end a run
    # Coarse to fine: steps at each smaller size, half the next one's, before those at full size; () for none. Where
    # there are more sizes than octaves but one, the coarsest are left out. Between sizes the picture is low-passed
    # (deviation in cycles per pixel), and a fresh start supplies the detail above. With keep_octaves every size has all
    # octaves.
    config.schedule = ConfigDict(dict(steps=(), lowpass=0.06, keep_octaves=False))
    # Every `every` steps the picture is rolled by up to `pixels`, and colors of up to `color`, in [0, 1], are added.
    config.jitter = ConfigDict(dict(pixels=0.0, color=0.0, every=20))
    # Sources are resized to `width` pixels (it wins), by the factor `scale`, or so that their longer side is `fit`
    # times that of the output; 0 leaves them as they are. Where none of these is given, a source whose longer side is
    # more than `max_fit` times that of the output is reduced to so much; 0: never. `auto_width` wins over all: it
    # reduces each source until the network sees its largest features whole, at the coarsest octave, and two of them fit
    # into the output (see `images.periods`).
    config.source = ConfigDict(dict(width=0, scale=0.0, fit=0.0, max_fit=4.0, auto_width=False))
    # `flatten` takes a smooth part off the sources, such as uneven light, see `images.light`: "periodic", "plane",
    # "bend" or "none"; "auto" is "periodic" for sources that do not tile where the output does. `padding` is the
    # padding of the network and the pyramid where sources are analyzed: "" is the padding of the output, and "auto" is
    # "reflect" where the output tiles and a source does not, and else "".
    config.source.update(flatten="auto", padding="auto")
    # These hold for every picture that is read, and not for sources alone. `background` shows through transparent
    # pixels, and pictures of more than `max_pixels` are refused. `alpha` "auto" composites a picture where its alpha
    # looks like transparency, which the result of a transfer or an analogy then has too, and ignores alpha that looks
    # like data, such as gloss; "over" composites; "ignore" takes the colors as they are; and "keep" composites and
    # gives the result the content's alpha in any case.
    config.source.update(background=(1.0, 1.0, 1.0), max_pixels=89_478_485, alpha="auto")
    # `channels` is 1 for gray, 3 for color, or 0 for gray where all pictures are gray. `original_colors` gives the
    # result of a transfer the colors of the content.
    config.output = ConfigDict(dict(format="png", bits=8, channels=0, original_colors=False))
    return config


def tiles(config: Config) -> bool:
    """Return whether the pictures of a run repeat without a seam: the network and the pyramid wrap around."""
    return config.features.padding == config.pyramid.padding == "circular"


def source_padding(config: Config) -> tuple[str, str]:
    """Return the padding of the network and that of the pyramid where sources are analyzed.

    The value "auto" that `runs.inputs` has not settled yet is taken for that of sources that do not tile.
    """
    padding = config.source.padding
    if padding == "auto":
        padding = "reflect" if tiles(config) else ""
    if not padding:
        return config.features.padding, config.pyramid.padding
    return padding, "reflect" if padding == "same" else padding


def start_group(config: Config) -> str:
    """Return the group of pictures that the start is made of: that of its file is "init"."""
    return "init" if "path" in config.init else config.init.group


def parse_arg(arg: str | None, **known: Any) -> Config:
    """Parse the text after a config's colon, such as "tiny,width=64", into `known`'s keys and types.

    A bare name stands for name=True. Raises TexjaxError for an unknown name or a value of another type.
    """
    values = ConfigDict(known)
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
        values[name] = value
    return values


def load(spec: str, overrides: Sequence[str] = ()) -> Config:
    """Return the complete, locked config of `spec`, a shipped name or a path, each with an optional `:arg`.

    Args:
        spec: such as "texture", "texture:network=vgg19" or "own.py:tiny".
        overrides: command line words such as "--config.octaves=3".

    Raises:
        TexjaxError: where the file is missing or fails, or an override does not fit.
    """
    name, _, arg = spec.partition(":")
    with _told(name):
        config = _run(name)["get_config"](arg or None)
    settings.complete(config)
    return overridden_by_words(config, overrides)


def overridden_by_words(config: Config, words: Sequence[str]) -> Config:
    """Return a complete, locked copy of `config` with command line words such as "--config.octaves=3" applied.

    Values are read according to the types of their keys. Raises TexjaxError for words that do not fit.
    """
    by_key: dict[str, list[str]] = {}
    for word in _joined(words):
        key, equals, _ = word.removeprefix("--config.").partition("=")
        if not equals:
            raise errors.TexjaxError(f"{word} has no value; give {word}=VALUE.")
        by_key.setdefault(key, []).append(word)
    changed = config.copy_and_resolve_references().unlock()
    for keys in _in_order(by_key, changed):
        for key in keys:
            _check_key(key, _keys(changed))
            settings.forget_defaults(changed, key)
        _parse(changed, [word for key in keys for word in by_key[key]])
        settings.complete(changed)
    return changed.lock()


def overridden(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return a complete, locked copy of `config` with values by flattened key; a mapping replaces a group as a whole.

    Raises TexjaxError for an unknown key and for a value of another type.
    """
    changed = config.copy_and_resolve_references().unlock()
    for keys in _in_order(changes, changed):
        for key in keys:
            _check_key(key, _keys(changed))
            settings.forget_defaults(changed, key)
            _set(changed, key, changes[key])
        settings.complete(changed)
    return changed.lock()


def _set(config: Config, key: str, value: Any) -> None:
    """Set a flattened key; a mapping takes the place of a group."""
    group, _, last = key.rpartition(".")
    holder = settings.group(config, group)
    old = holder[last]
    try:
        if isinstance(old, ConfigDict):
            holder[last] = ConfigDict(dict(value))
        else:
            config.update_from_flattened_dict({key: value})
    except (TypeError, ValueError):
        kind = "mapping" if isinstance(old, ConfigDict) else type(old).__name__
        raise errors.TexjaxError(
            f"config key {key} is of type {kind}, and got {value!r}; give a value of that kind."
        ) from None


def sweep(spec: str) -> Callable[..., Any]:
    """Return the function `sweep(add)` of the config file. Raises TexjaxError where the file has none."""
    name = spec.partition(":")[0]
    with _told(name):
        function: Any = _run(name).get("sweep")
    if not callable(function):
        raise errors.TexjaxError(f"config {name} declares no sweep; define sweep(add) in it, or choose another config.")
    return function


def _run(name: str) -> dict[str, Any]:
    """What the config file of that name, or of that path, defines."""
    path = Path(name) if name.endswith(".py") else shipped.folder("configs") / f"{name}.py"
    if not path.is_file():
        if name.endswith(".py"):
            raise errors.TexjaxError(f"config file {name} does not exist; give a path, or one of {', '.join(names())}.")
        raise errors.unknown("config", name, names("**/*.py"))
    definitions = runpy.run_path(str(path))
    if "get_config" not in definitions:
        raise errors.TexjaxError(f"config {name} cannot be loaded (it defines no get_config); mend it.")
    return definitions


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever a config file raises into one sentence: it is a program, and may fail in any way."""
    try:
        yield
    except errors.TexjaxError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise errors.TexjaxError(
            f"config {name} cannot be loaded ({type(error).__name__}: {text}); mend it."
        ) from error


def _check_key(key: str, known: Sequence[str]) -> None:
    group, _, last = key.rpartition(".")
    if group.endswith(".layers") and group in known and key not in known:
        raise errors.TexjaxError(
            f"{group} holds no layer {last}; give the mapping as a whole: --config.{group}=\"{{'{last}': 1.0}}\"."
        )
    if key not in known:
        raise errors.unknown("config key", key, known)


def _in_order(changes: Mapping[str, Any], config: Config) -> list[list[str]]:
    """The keys in two steps: whole groups and names first, as these decide which other keys there are."""
    groups = {key for key in _keys(config) if isinstance(settings.group(config, key), ConfigDict)}
    first = [key for key in changes if key in groups or key.rpartition(".")[2] == "name"]
    return [first, [key for key in changes if key not in first]]


def _parse(config: Config, words: Sequence[str]) -> None:
    """Let ml_collections apply the words to `config`, in place."""
    values, words = flags.FlagValues(), ["texjax", *words]
    config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=words, lock_config=False)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # beside some errors the parser prints the whole config
            values(words)
    except (flags.Error, TypeError, ValueError) as error:
        text = " ".join(str(error).split())[:300].rstrip(".")
        raise errors.TexjaxError(f"an override does not fit the config: {text}; give a value of that kind.") from error


def _keys(config: ConfigDict, prefix: str = "") -> list[str]:
    """All keys, dotted, groups among them."""
    keys = []
    for key, value in config.items():
        keys += [prefix + key, *(_keys(value, f"{prefix}{key}.") if isinstance(value, ConfigDict) else ())]
    return keys


def _joined(words: Sequence[str]) -> list[str]:
    """Join "--config.key value" by an equals sign, so that a negative number is not taken for a flag."""
    joined: list[str] = []
    for word in words:
        if joined and "=" not in joined[-1] and not word.startswith("--"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def freeze(config: Config, *, without: Sequence[str] = ()) -> Config:
    """Return a hashable copy, without the named keys."""
    values = config.to_dict() if isinstance(config, ConfigDict) else config
    return FrozenConfigDict({key: value for key, value in values.items() if key not in without})
