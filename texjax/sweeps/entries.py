"""The runs of a sweep, as its config declares them: one for each `add(...)` and picture."""

import functools
import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import errors, images
from texjax.runs import inputs


class Given(NamedTuple):
    """What a sweep is made of.

    spec: of the config, which declares it. overrides: command line words that hold for all runs. sources, contents: a
    run for each of them; a folder of sources stands for several pictures of one run. analogy: A, A' and B, or nothing.
    """

    spec: str
    overrides: Sequence[str]
    sources: Sequence[str]
    contents: Sequence[str] = ()
    analogy: Sequence[str] = ()


class Entry(NamedTuple):
    """A run. id: of its resolved config and pictures. swept: what sets it apart. command: that makes it by itself.

    config, paths, others: arguments of `run.synthesize`.
    """

    id: str
    config: configs.Config
    paths: list[Path]
    others: dict[str, list[Path]]
    swept: dict[str, Any]
    command: str


class Look(NamedTuple):
    """The pictures of a run: what they are called, the paths, the words of the command that name them, and hashes."""

    swept: dict[str, str]
    paths: list[Path]
    others: dict[str, list[Path]]
    words: list[str]
    sha256: dict[str, list[str]]


def declared(given: Given) -> list[Entry]:
    """The runs, in the order that they were declared in; for each `add`, one for each content and source.

    Raises TexjaxError where nothing is declared, or the same twice, and for unknown keys, wrong values, pictures that
    are not there, and keys that both the sweep and an override set.
    """
    lines, looks = _lines(given.spec), _looks(given)
    fixed = {word.removeprefix("--config.").partition("=")[0] for word in given.overrides if word.startswith("--")}
    load, shape = functools.cache(configs.load), functools.cache(lambda path: images.load(path).shape)
    entries = []
    for arg, changes in lines:
        twice = [key for key in changes if any(_same(key, other) for other in fixed)]
        if twice:
            raise errors.TexjaxError(f"the sweep sets {twice[0]} itself; leave --config.{twice[0]} out.")
        spec = _with(given.spec, arg)
        base = configs.overridden(load(spec, tuple(given.overrides)), changes)
        to_fit = None if "size" in fixed | changes.keys() else shape
        entries += [_entry(given, spec, base, arg, changes, look, to_fit) for look in looks]
    _check_different(entries)
    return entries


def label(swept: Mapping[str, Any]) -> str:
    """Such as "octaves=2, seed=1"."""
    return ", ".join(f"{key}={value}" for key, value in swept.items()) or "the only run"


def _lines(spec: str) -> list[tuple[str, dict[str, Any]]]:
    """What the config's `sweep(add)` adds: an argument of the config, and overrides by flattened key."""
    lines: list[tuple[str, dict[str, Any]]] = []

    def add(*, arg: Any = "", **overrides: Any) -> None:
        changes = {key: _own(value) for key, value in overrides.items()}
        _check_line(arg, changes)
        lines.append((arg, changes))

    function, name = configs.sweep(spec), spec.partition(":")[0]
    try:
        function(add)
    except errors.TexjaxError:
        raise
    except Exception as error:  # a config file is a program and may fail in any way
        text = " ".join(str(error).split())[:300]
        raise errors.TexjaxError(
            f"sweep(add) of config {name} fails ({type(error).__name__}: {text}); mend it."
        ) from error
    if not lines:
        raise errors.TexjaxError(f"sweep(add) of config {name} adds no run; perhaps an axis of a product is empty.")
    return lines


def _check_line(arg: Any, overrides: Mapping[str, Any]) -> None:
    if not isinstance(arg, str):
        raise errors.TexjaxError(f"add() of a sweep got arg={arg!r}; give text, what would follow the config's colon.")
    for key, value in overrides.items():
        inner = [other for other in overrides if other.startswith(f"{key}.")]
        if inner:
            raise errors.TexjaxError(f"a run of the sweep sets {key} and also {inner[0]}; set one of them.")
        try:
            _plain(value)
        except (TypeError, ValueError):
            raise errors.TexjaxError(
                f"a run of the sweep sets {key} to {value!r}; give numbers, text, tuples and mappings of Python's own."
            ) from None


def _looks(given: Given) -> list[Look]:
    if given.analogy:
        if len(given.analogy) != 3 or given.sources or given.contents:
            raise errors.TexjaxError("--analogy takes three pictures, A, A' and B, and no other is given beside them.")
        a, a_prime, b = images.sources(given.analogy)
        others = {"content": [b], "analogy": [a, a_prime, b]}
        return [Look({}, [a_prime], others, ["analogy", *given.analogy], _digests([a_prime], others))]
    if not given.sources:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures after the config.")
    looks = []
    for content in given.contents or [""]:
        for source in given.sources:
            named = {"source": (source, given.sources), "content": (content, given.contents)}
            swept = {kind: _name(word, words) for kind, (word, words) in named.items() if len(words) > 1}
            others = {"content": [Path(content)]} if content else {}
            words = ["transfer", content, source] if content else ["synthesize", source]
            paths = images.sources(source)
            looks.append(Look(swept, paths, others, words, _digests(paths, others)))
    return looks


def _name(word: str, words: Sequence[str]) -> str:
    """A picture's name; the whole word where others have that name too."""
    name = Path(word).name
    return name if [Path(other).name for other in words].count(name) == 1 else word


def _entry(
    given: Given,
    spec: str,
    config: configs.Config,
    arg: str,
    changes: Mapping[str, Any],
    look: Look,
    shape: Callable[[Path], tuple[int, ...]] | None,
) -> Entry:
    """The run of that line and look. shape: of a content, which the output is to fit; None where its size is given."""
    words = [*given.overrides, *(f"--config.{key}={value}" for key, value in changes.items())]
    if "content" in look.others and shape:  # as `texjax transfer` has it
        size = inputs.fitted(shape(look.others["content"][0]), max(config.size))
        config = configs.overridden(config, {"size": size})
        words.append(f"--config.size={tuple(config.size)}")
    text = json.dumps({"config": config.to_dict(), **look.sha256}, sort_keys=True)
    swept = ({"arg": arg} if arg else {}) | _plain(changes) | look.swept
    command = shlex.join(["texjax", *look.words, "--config", spec, *words])
    return Entry(hashlib.sha256(text.encode()).hexdigest()[:12], config, look.paths, look.others, swept, command)


def _own(value: Any) -> Any:
    """The value with Python's own numbers for NumPy's, which the command could not write."""
    if isinstance(value, Mapping):
        return {key: _own(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_own, value))
    return value.item() if hasattr(value, "item") else value


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


def _digests(sources: Sequence[Path], others: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
    groups = {"sources": sources, **others}
    try:
        return {of: [hashlib.sha256(path.read_bytes()).hexdigest() for path in groups[of]] for of in groups}
    except OSError as error:
        raise errors.TexjaxError(f"{error.filename} cannot be read ({error.strerror}); check it.") from error


def _with(spec: str, arg: str) -> str:
    """The config with one more argument."""
    name, _, own = spec.partition(":")
    joined = ",".join(filter(None, [own, arg]))
    return f"{name}:{joined}" if joined else name


def _same(key: str, other: str) -> bool:
    """Whether the keys are one, or one of them is in a group that the other replaces."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _check_different(entries: Sequence[Entry]) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry.id in seen:
            first, second = label(seen[entry.id].swept), label(entry.swept)
            raise errors.TexjaxError(f"two runs of the sweep are the same ({first}; {second}); remove one of them.")
        seen[entry.id] = entry
