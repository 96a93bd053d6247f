"""The runs of a sweep, as its config declares them: one for each `add(...)` and each set of pictures."""

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


class Request(NamedTuple):
    """What the user asks of a sweep.

    Attributes:
        spec: Name or path of the config that declares the sweep, with an optional `:arg`.
        overrides: Command line words that set config keys of all runs.
        sources: Sources, one run for each; a folder stands for several pictures of one run.
        contents: Contents, one run for each.
        analogy: A, A' and B, instead of sources and contents; or nothing.
    """

    spec: str
    overrides: Sequence[str]
    sources: Sequence[str]
    contents: Sequence[str] = ()
    analogy: Sequence[str] = ()


class Entry(NamedTuple):
    """A declared run.

    Attributes:
        id: A hash of the resolved config and of the pictures' bytes.
        config: The resolved config.
        pictures: Paths of the pictures by group, as `run.synthesize` takes them.
        swept: What distinguishes this run from the others of the sweep; see `archive.Run`.
        command: The command that makes this run by itself.
    """

    id: str
    config: configs.Config
    pictures: dict[str, list[Path]]
    swept: dict[str, Any]
    command: str


class PictureSet(NamedTuple):
    """The pictures of a run.

    Attributes:
        pictures: Paths by group.
        swept: Names of the source and the content, if other runs of the sweep have others.
        words: The subcommand of `texjax` and its pictures.
        sha256: Hashes of the files by group.
    """

    pictures: dict[str, list[Path]]
    swept: dict[str, str]
    words: list[str]
    sha256: dict[str, list[str]]


class Addition(NamedTuple):
    """One call of `add(...)` in a config's `sweep(add)`: an argument of the config, and values by flattened key."""

    arg: str
    changes: dict[str, Any]


def declared(request: Request) -> list[Entry]:
    """Return the runs in the order of their declaration: for each `add(...)`, one for each content and source.

    Raises:
        TexjaxError: If no run is declared, or the same run twice; for unknown keys and wrong values; if a picture does
            not exist; and if both the sweep and an override set a key.
    """
    additions, picture_sets = _additions(request.spec), _picture_sets(request)
    fixed = {word.removeprefix("--config.").partition("=")[0] for word in request.overrides if word.startswith("--")}
    load, shape_of = functools.cache(configs.load), functools.cache(images.shape)
    entries = []
    for addition in additions:
        conflicts = [key for key in addition.changes if any(_overlap(key, other) for other in fixed)]
        if conflicts:
            raise errors.TexjaxError(f"the sweep sets {conflicts[0]} itself; leave --config.{conflicts[0]} out.")
        spec = _with_arg(request.spec, addition.arg)
        config = configs.overridden(load(spec, tuple(request.overrides)), addition.changes)
        content_shape = None if "size" in fixed | addition.changes.keys() else shape_of
        entries += [_entry(request, spec, config, addition, pictures, content_shape) for pictures in picture_sets]
    _check_different(entries)
    return entries


def label(swept: Mapping[str, Any]) -> str:
    """Return what distinguishes a run as text, such as "octaves=2, seed=1"."""
    return ", ".join(f"{key}={value}" for key, value in swept.items()) or "the only run"


def _additions(spec: str) -> list[Addition]:
    """Return the calls of `add(...)` that the config's `sweep(add)` makes."""
    additions: list[Addition] = []

    def add(*, arg: Any = "", **overrides: Any) -> None:
        changes = {key: _without_numpy(value) for key, value in overrides.items()}
        _check_addition(arg, changes)
        additions.append(Addition(arg, changes))

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
    if not additions:
        raise errors.TexjaxError(f"sweep(add) of config {name} adds no run; perhaps an axis of a product is empty.")
    return additions


def _check_addition(arg: Any, changes: Mapping[str, Any]) -> None:
    if not isinstance(arg, str):
        raise errors.TexjaxError(
            f"add() of a sweep got arg={arg!r}; give text, as it would follow the colon after the config's name."
        )
    for key, value in changes.items():
        inner_keys = [other for other in changes if other.startswith(f"{key}.")]
        if inner_keys:
            raise errors.TexjaxError(f"a run of the sweep sets {key} and also {inner_keys[0]}; set one of them.")
        try:
            _through_json(value)
        except (TypeError, ValueError):
            raise errors.TexjaxError(
                f"a run of the sweep sets {key} to {value!r}; give numbers, text, tuples and mappings of Python's own."
            ) from None


def _picture_sets(request: Request) -> list[PictureSet]:
    """Return the sets of pictures that every addition is run with: each content with each source, or an analogy."""
    if request.analogy:
        if len(request.analogy) != 3 or request.sources or request.contents:
            raise errors.TexjaxError(
                "--analogy takes three pictures, A, A' and B, instead of sources and --content; leave those out."
            )
        a, a_prime, b = images.sources(request.analogy)
        pictures = {"sources": [a_prime], "content": [b], "analogy": [a, a_prime, b]}
        return [PictureSet(pictures, {}, ["analogy", *request.analogy], _digests(pictures))]
    if not request.sources:
        raise errors.TexjaxError("no source given; name at least one picture or a folder of pictures after the config.")
    picture_sets = []
    for content in request.contents or [""]:
        for source in request.sources:
            pictures = {"sources": images.sources(source)} | ({"content": [Path(content)]} if content else {})
            names = {"source": _name(source, request.sources), "content": _name(content, request.contents)}
            swept = {kind: name for kind, name in names.items() if name}
            words = ["transfer", content, source] if content else ["synthesize", source]
            picture_sets.append(PictureSet(pictures, swept, words, _digests(pictures)))
    return picture_sets


def _name(word: str, words: Sequence[str]) -> str:
    """Return what tells a picture from the others: its file name, the whole word if others share it, "" if alone."""
    if len(words) < 2:
        return ""
    name = Path(word).name
    return name if name and [Path(other).name for other in words].count(name) == 1 else word


def _entry(
    request: Request,
    spec: str,
    config: configs.Config,
    addition: Addition,
    picture_set: PictureSet,
    content_shape: Callable[[Path, int], tuple[int, int]] | None,
) -> Entry:
    """Return the run of an addition with a set of pictures.

    content_shape: Returns height and width of a content of at most so many pixels, which the output's size then
        follows as in `texjax transfer`; None if the sweep or an override sets the size.
    """
    arg, changes = addition
    words = [*request.overrides, *(f"--config.{key}={value}" for key, value in changes.items())]
    if "content" in picture_set.pictures and content_shape:
        (content,) = picture_set.pictures["content"]
        shape = content_shape(content, config.source.max_pixels)
        config = configs.overridden(config, {"size": inputs.output_size(shape, max(config.size))})
        words.append(f"--config.size={tuple(config.size)}")
    hashed = json.dumps({"config": config.to_dict(), **picture_set.sha256}, sort_keys=True)
    swept = ({"arg": arg} if arg else {}) | _through_json(changes) | picture_set.swept
    command = shlex.join(["texjax", *picture_set.words, "--config", spec, *words])
    id_ = hashlib.sha256(hashed.encode()).hexdigest()[:12]
    return Entry(id_, config, picture_set.pictures, swept, command)


def _without_numpy(value: Any) -> Any:
    """Return the value with Python's numbers in place of NumPy's, which the words of a command could not express."""
    if isinstance(value, Mapping):
        return {key: _without_numpy(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_without_numpy, value))
    return value.item() if hasattr(value, "item") else value


def _through_json(value: Any) -> Any:
    """Return the value as it is after a passage through JSON, which has lists and no tuples."""
    return json.loads(json.dumps(value))


def _digests(pictures: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
    """Return the SHA-256 of every file, by group."""
    try:
        return {
            group: [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
            for group, paths in pictures.items()
        }
    except OSError as error:
        raise errors.TexjaxError(f"{error.filename} cannot be read ({error.strerror}); check it.") from error


def _with_arg(spec: str, arg: str) -> str:
    """Return the name of the config with one more argument."""
    name, _, present = spec.partition(":")
    args = ",".join(filter(None, [present, arg]))
    return f"{name}:{args}" if args else name


def _overlap(key: str, other: str) -> bool:
    """Return whether two keys are the same, or one of them lies in the group that the other replaces."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _check_different(entries: Sequence[Entry]) -> None:
    first_entries: dict[str, Entry] = {}
    for entry in entries:
        if entry.id in first_entries:
            first, second = label(first_entries[entry.id].swept), label(entry.swept)
            raise errors.TexjaxError(f"two runs of the sweep are the same ({first}; {second}); remove one of them.")
        first_entries[entry.id] = entry
