"""The pictures that a synthesis compares with: which ones a config needs, and whether they are large enough.

Pictures come in groups, `config.GROUPS`: "sources", the textures or styles wanted; "content", the one picture that a
transfer keeps; and "analogy", the pictures A, A' and B, where A' is also the source and B the content. The group "init"
is the picture of the start, which no term can look at.
"""

import bisect
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from texjax import config as configs
from texjax import errors, pyramid, types, validate
from texjax.images import copies
from texjax.synthesis import schedule

COMMANDS = {
    "content": "transfer CONTENT STYLE",
    "analogy": "analogy A A_PRIME B",
    "init": "synthesize SOURCE --init FILE",
}

Pictures = Mapping[
    str, Sequence[types.AnyImage]
]  # group -> pictures [h, w, c], sRGB in [0, 1], all gray or all in color
Names = Mapping[str, Sequence[object]]  # group -> a name or path of each picture, for errors


def check_groups(config: configs.Config, groups: Sequence[str]) -> None:
    """Raise TexjaxError where the config needs a group that is not given, or nothing uses a group that is given.

    Alpha that is to be kept needs the content.
    """
    if config.source.alpha == "keep" and "content" not in groups:
        raise errors.TexjaxError(
            "source.alpha is 'keep', and there is no content whose alpha the result could have; use 'auto', 'over' or "
            "'ignore', or texjax transfer."
        )
    users = _users(config)
    for group in set(users) - {"sources", *groups}:
        raise errors.TexjaxError(f"{users[group]} needs the {group}, and none is given; use texjax {COMMANDS[group]}.")
    # An analogy's B is given as the content too, whether the config uses the content or not.
    unused = set(groups) - set(users) - {"sources"} if "analogy" not in users else set()
    for group in unused:
        raise errors.TexjaxError(
            f"nothing in this config uses the {group}; choose a config with a term of group='{group}' and a weight "
            f"above 0."
        )


def _users(config: configs.Config) -> dict[str, str]:
    """Each group that the config uses, with the key that uses it."""
    groups = {f"terms.{name}": term.group for name, term in config.terms.items() if term.weight}
    groups["init"] = config.init.group
    if config.output.original_colors:
        groups["output.original_colors"] = "content"
    for key, group in groups.items():
        if group not in configs.GROUPS:
            raise errors.unknown(f"group of pictures in {key}", group, configs.GROUPS)
    groups["init"] = configs.start_group(config)
    return {group: key for key, group in groups.items()}


def exemplars(wanted: types.Exemplars, pictures: Pictures) -> list[types.AnyImage]:
    """Return the pictures of these exemplars, turned and scaled copies included."""
    group = pictures[wanted.group]
    if not wanted.rotations and not wanted.scales:
        return list(group)
    return [
        copy
        for picture in group
        for copy in copies.turned_and_scaled(np.asarray(picture), wanted.rotations, wanted.scales)
    ]


def distinct_exemplars(terms: Sequence[types.Term], octaves: int) -> tuple[types.Exemplars, ...]:
    """Return the distinct exemplars of the terms with any weight."""
    return tuple(dict.fromkeys(term.exemplars for term in terms if term.places(octaves)))


def check_sizes(
    config: configs.Config,
    extractor: types.Extractor,
    source_extractor: types.Extractor,
    terms: Sequence[types.Term],
    pictures: Pictures,
    names: Names,
) -> None:
    """Raise TexjaxError where the output or a picture has no room for the octaves and layers, at any resolution."""
    source_padding = configs.source_padding(config)[1]
    resolutions = range(len(schedule.resolutions(config))) if config.schedule.keep_octaves else (0,)
    for below in resolutions:
        halved = f", halved {below} times," if below else ""
        for what, shape, wanted in _shapes(config, terms, pictures, names):
            is_source = wanted is not None and wanted.group == "sources"
            network, padding = (source_extractor, source_padding) if is_source else (extractor, config.pyramid.padding)
            shape = tuple(pyramid.sizes(n, below + 1, padding)[-1] for n in shape)
            if wanted and (wanted.rotations or wanted.scales):
                what += ", turned and scaled,"
                shape = min(copies.sizes(shape, wanted.rotations, wanted.scales), key=min) if min(shape) else shape
            concerned = [term for term in terms if wanted in (None, term.exemplars)]
            check_size(what + halved, (shape[1], shape[0]), network, concerned, config.octaves, padding)


def _shapes(
    config: configs.Config, terms: Sequence[types.Term], pictures: Pictures, names: Names
) -> Iterator[tuple[str, tuple[int, ...], types.Exemplars | None]]:
    """Name, (height, width) and exemplars of everything that is looked at; None for the output, which all terms see."""
    yield "the output", (config.size[1], config.size[0]), None
    for wanted in distinct_exemplars(terms, config.octaves):
        kind = "source" if wanted.group == "sources" else "picture"
        for picture, name in zip(pictures[wanted.group], names[wanted.group], strict=True):
            yield f"{kind} {name}", picture.shape[:2], wanted


def check_size(
    what: str,
    size: tuple[int, int],
    extractor: types.Extractor,
    terms: Sequence[types.Term],
    octaves: int,
    padding: str,
) -> None:
    """Raise TexjaxError where a picture of `size` (width, height) has no room for all octaves and layers.

    The error names the largest number of octaves that fits the picture, and the smallest side that `octaves` need.
    """
    pyramid.check(padding)
    places = [(at, layer, term.loss.least) for term in terms for at, layer in term.places(octaves)]
    grids = {layer: extractor.grid(layer) for _, layer, _ in places}

    def fits(side: int, octaves: int) -> bool:
        sides = pyramid.sizes(side, octaves, padding)
        return sides[-1] > 0 and all(
            grids[layer].size(sides[at]) >= least for at, layer, least in places if at < octaves
        )

    side = min(size)
    if fits(side, octaves):
        return
    smallest = 1 + bisect.bisect_left(range(1, validate.LARGEST), True, key=lambda n: fits(n, octaves))
    possible = max((o for o in range(1, octaves) if fits(side, o)), default=0)
    remedy = f"use at most {possible} octave{'s' * (possible > 1)}" if possible else "no number of octaves fits"
    deepest = max(grids, key=lambda layer: grids[layer].receptive)
    raise errors.TexjaxError(
        f"{what} is {size[0]} x {size[1]} px, but {octaves} octaves down to layer {deepest} need at least "
        f"{smallest} px on each side: {remedy}, or a picture of {smallest} px or more."
    )
