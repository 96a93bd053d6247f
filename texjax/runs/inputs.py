"""The pictures that a run is given, and which of them a term looks at.

They come in groups: "sources", the textures or styles wanted; "content", the one picture that a transfer keeps; and
"analogy", the pictures A, A' and B, where A' is also the source and B the content.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, images, pyramid, types
from texjax.images import copies
from texjax.losses import joins
from texjax.synthesis import objective, schedule

GROUPS = ("sources", "content", "analogy")
COMMANDS = {"content": "transfer CONTENT STYLE", "analogy": "analogy A A_PRIME B"}
NONE: dict[str, Any] = {}

Groups = Mapping[str, Sequence[Any]]


def load(config: configs.Config, paths: Sequence[Path]) -> list[np.ndarray]:
    """The sources, [h, w, 3] each, resized as the config says.

    Raises TexjaxError for a picture that cannot be read, and where a term joins another number of sources.
    """
    for term in config.terms.values():
        if "join" in term:
            joins.normalized(term.join, len(paths), term.get("join_weights", ()), term.get("join_position", 0.5))
    return [_source(config, path) for path in paths]


def load_others(config: configs.Config, paths: Mapping[str, Sequence[Path]]) -> dict[str, list[np.ndarray]]:
    """The groups beside the sources, [h, w, 3] each: content and B as large as the output, A and A' as sources are.

    paths: {"content": [content], "analogy": [A, A', B]}, either or both left out.

    Raises TexjaxError for a picture that cannot be read, where A and A' differ in size, where a group that the config
    looks at is missing, and where nothing looks at one that is given.
    """
    wanted = _wanted(config)
    for of in set(wanted) - {"sources", *paths}:
        raise errors.TexjaxError(f"{wanted[of]} looks at the {of}, and none is given; use texjax {COMMANDS[of]}.")
    for of in set(paths) - set(wanted) if "analogy" not in wanted else ():
        raise errors.TexjaxError(
            f"nothing in this config looks at the {of}; choose one with a term of={of!r} and a weight above 0."
        )
    found = {"content": [_stretched(config, path) for path in paths.get("content", ())]}
    if "analogy" in paths:
        *pair, b = paths["analogy"]
        found["analogy"] = [*(_source(config, path) for path in pair), _stretched(config, b)]
        a, a_prime, _ = (f"{image.shape[1]} x {image.shape[0]} px" for image in found["analogy"])
        if a != a_prime:
            raise errors.TexjaxError(f"A is {a} and A' is {a_prime}; give two pictures of one size.")
    return {of: found[of] for of in paths}


def seen(look: objective.Look, groups: Groups) -> list[jax.Array]:
    """The pictures that a term of that look compares with, copies among them."""
    group = [jnp.asarray(picture) for picture in groups[look.of]]
    if not look.rotations and not look.scales:
        return group
    made = [copy for picture in group for copy in copies.of(np.asarray(picture), look.rotations, look.scales)]
    return [jnp.asarray(copy) for copy in made]


def fitted(shape: Sequence[int], side: int) -> tuple[int, int]:
    """Width and height of the output for a content of that shape, [h, w, ...]: at most `side` pixels, not enlarged."""
    factor = min(1.0, side / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def reduced(groups: Groups, scale: schedule.Scale) -> tuple[list[jax.Array], dict[str, list[jax.Array]]]:
    """The sources at that scale, and all groups."""
    small = {of: schedule.reduced(group, scale) for of, group in groups.items()}
    return small["sources"], small


def check_sizes(
    config: configs.Config,
    extractor: types.Extractor,
    terms: Sequence[objective.Term],
    groups: Groups,
    names: Groups,
) -> None:
    """Raises TexjaxError where the output or a picture has no room for the octaves and layers, at any scale.

    groups: of pictures [h, w, 3]. names: their paths.
    """
    padding = config.pyramid.padding
    for below in range(len(schedule.scales(config))) if config.schedule.keep_octaves else (0,):
        halved = f", halved {below} times," if below else ""
        for what, shape, look in _shapes(config, terms, groups, names):
            shape = tuple(pyramid.sizes(n, below + 1, padding)[-1] for n in shape)
            if look and (look.rotations or look.scales):
                what += ", turned and scaled,"
                shape = min(copies.sizes(shape, look.rotations, look.scales), key=min) if min(shape) else shape
            of_look = [term for term in terms if look in (None, term.look)]
            objective.check_size(what + halved, (shape[1], shape[0]), extractor, of_look, config.octaves, padding)


def _shapes(
    config: configs.Config, terms: Sequence[objective.Term], groups: Groups, names: Groups
) -> Iterator[tuple[str, tuple[int, ...], objective.Look | None]]:
    """What is looked at: its name, height and width, and by which look; None for the output, which all terms see."""
    yield "the output", (config.size[1], config.size[0]), None
    for look in objective.looks(terms, config.octaves):
        kind = "source" if look.of == "sources" else "picture"
        for picture, path in zip(groups[look.of], names[look.of], strict=True):
            yield f"{kind} {path}", picture.shape[:2], look


def _wanted(config: configs.Config) -> dict[str, str]:
    """The groups that the config looks at, each with the key of the config that does, for errors."""
    looks = {f"terms.{name}": term.get("of", "sources") for name, term in config.terms.items() if term.weight}
    looks["init"] = config.init.get("of", "sources")
    if config.output.original_colors:
        looks["output.original_colors"] = "content"
    for key, of in looks.items():
        if of not in GROUPS:
            raise errors.unknown(f"group of pictures in {key}", of, GROUPS)
    return {of: key for key, of in looks.items()}


def _source(config: configs.Config, path: Path) -> np.ndarray:
    source = config.source
    given: dict[str, Any] = dict(background=tuple(source.background), max_pixels=source.max_pixels)
    width = source.width
    if source.fit and not width and not source.scale:
        height, own = images.load(path, **given).shape[:2]
        width = max(1, round(own * source.fit * max(config.size) / max(height, own)))
    return images.load(path, scale=source.scale or None, width=width or None, **given)


def _stretched(config: configs.Config, path: Path) -> np.ndarray:
    """The picture at the output's size, by Lanczos."""
    width, height = config.size
    image = images.load(path, background=tuple(config.source.background), max_pixels=config.source.max_pixels)
    return np.asarray(pyramid.stretched(jnp.asarray(image), (height, width)))
