"""The pictures of a run, read from files and resized as the config says."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, images, pyramid
from texjax.images import alpha as transparency
from texjax.images import colors, edges, files, light
from texjax.images import photographs as crops
from texjax.runs import generate, networks, scale, suiting

SEEN = 4  # standard deviation, in levels of 255, from which on a part that is taken off a source is told

Paths = Mapping[str, Sequence[Path]]  # group -> files


class Inputs(NamedTuple):
    """What a run reads.

    pictures: of each group, [h, w, c]. alpha: [h, w, 1] that results are to have, or None. config: with what suits the
    sources, see `suiting.settle`.
    """

    pictures: dict[str, list[np.ndarray]]
    alpha: np.ndarray | None
    config: configs.Config


def with_start(config: configs.Config, paths: Paths) -> Paths:
    """Return the paths with the group "init", where the config names a picture to start from."""
    return {"init": [Path(config.init.path)], **paths} if configs.start_group(config) == "init" else paths


def load(config: configs.Config, paths: Paths) -> dict[str, list[np.ndarray]]:
    """Read the pictures of each group, [h, w, c], at the size that the config wants. Raises as `load_with_alpha`."""
    return load_with_alpha(config, paths).pictures


def load_with_alpha(config: configs.Config, paths: Paths) -> Inputs:
    """Read the pictures of each group, and the content's alpha for the results, at the size that the config wants.

    Raises TexjaxError for values that no run can have, for a picture that cannot be read, and where A and A' of an
    analogy differ in size.
    """
    limit, auto_width = config.source.max_pixels, config.source.auto_width

    @functools.lru_cache(maxsize=3)  # A' and B of an analogy are in two groups
    def read(path: Path, wanted: tuple[int, int] | None = None) -> transparency.Layer:
        return load_file(config, path, wanted)

    @functools.cache
    def shape(path: Path) -> tuple[int, int]:
        return images.shape(path, limit)

    def sized(group: str, position: int, path: Path) -> tuple[int, int]:
        like = read(paths["analogy"][1] if group == "analogy" else path).color if auto_width else None
        return fitting_size(config, group, position, shape(path), like)

    pictures, alpha, settled = {}, None, config
    for group, of_group in paths.items():
        if group == "init" and of_group[0].suffix == networks.SUFFIX:
            pictures[group] = [_generated(config, of_group[0])]
            continue
        sizes = [sized(group, i, path) for i, path in enumerate(of_group)]
        layers = [read(path, None if auto_width else size) for path, size in zip(of_group, sizes, strict=True)]
        pictures[group] = [_fit(config, group, i, layers[i].color, size) for i, size in enumerate(sizes)]
        if group == "content":
            alpha = layers[0].alpha
        if group == "sources":
            settled = suiting.settle(config, [layer.color for layer in layers])
    if "analogy" in paths:
        check_analogy(pictures["analogy"], [(str(path), shape(path)) for path in paths["analogy"]])
    return Inputs(in_channels(config, pictures), fit_alpha(config, alpha), settled)


def photographs(
    config: configs.Config, paths: Sequence[Path], sources: int, channels: int
) -> Callable[[int], np.ndarray] | None:
    """Return the function of a step that reads the crops of a training's photographs, or None where it has none.

    sources: their number. channels: of the crops. Raises TexjaxError where grain is not installed.
    """
    if not paths:
        return None
    return crops.crops(
        paths,
        (config.size[0], config.size[1]),
        config.count * sources,
        config.seed,
        channels=channels,
        max_pixels=config.source.max_pixels,
    )


def _generated(config: configs.Config, path: Path) -> np.ndarray:
    """A picture [h, w, 3] to start from, by the generator in a file."""
    wanted = generate.Wanted(tuple(config.size), config.seed, budget=config.memory_budget)
    (picture,) = generate.pictures(networks.read(path), wanted)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def in_channels(config: configs.Config, pictures: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Return the pictures [h, w, 3] of each group as [h, w, 1] where the output is gray, and else as they are.

    The output is gray where `output.channels` is 1, or where it is 0 and all pictures are gray but the start, which
    follows the others.
    """
    channels, given = config.output.channels, [image for group in configs.GROUPS for image in pictures.get(group, ())]
    if channels == 3 or not (channels or (given and all(map(colors.is_gray, given)))):
        return pictures
    return {
        group: [np.asarray(colors.luminance(jnp.asarray(image)))[..., None] for image in of_group]
        for group, of_group in pictures.items()
    }


def load_file(config: configs.Config, path: Path, wanted: tuple[int, int] | None = None) -> transparency.Layer:
    """Read a picture [h, w, 3], and the alpha [h, w, 1] for its result, as `config.source` says.

    wanted: see `images.load_with_alpha`. Raises TexjaxError as `images.load` does.
    """
    source = config.source
    return images.load_with_alpha(
        path, background=tuple(source.background), max_pixels=source.max_pixels, alpha=source.alpha, wanted=wanted
    )


def fit_alpha(config: configs.Config, alpha: np.ndarray | None) -> np.ndarray | None:
    """Resize the alpha [h, w, 1] of a content as the content itself, so that one belongs to the other."""
    return None if alpha is None else fit(config, "content", 0, np.repeat(alpha, 3, axis=2))[..., :1]


def with_alpha(config: configs.Config, outputs: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return outputs [n, h, w, c] with their alpha [h, w, 1] as last channel, or as they are where that is None."""
    if alpha is None:
        return outputs
    background = np.array(config.source.background, np.float32)
    if outputs.shape[-1] == 1:
        background = np.asarray(colors.luminance(jnp.asarray(background)[None, None]))[0]
    return transparency.unblended(outputs, alpha, background)


def fit(
    config: configs.Config, group: str, position: int, image: np.ndarray, like: np.ndarray | None = None
) -> np.ndarray:
    """Resize a picture [h, w, 3]: contents, starts and B of an analogy to the output's size, others as sources.

    position: of the picture in its group; the pictures of an analogy are A, A' and B. like: see `scale.factor`; the
    picture itself if left out.
    """
    size = fitting_size(config, group, position, image.shape[:2], image if like is None else like)
    return _fit(config, group, position, image, size)


def fitting_size(
    config: configs.Config, group: str, position: int, shape: tuple[int, ...], like: np.ndarray | None
) -> tuple[int, int]:
    """Return the width and height that `fit` gives a picture of a shape (height, width)."""
    if _is_like_the_output(group, position):
        width, height = config.size
        return width, height
    return files.resized(shape, scale=scale.factor(config, shape, like), max_pixels=config.source.max_pixels)


def _fit(config: configs.Config, group: str, position: int, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to a width and height, by the filter of its group, and take uneven light off sources."""
    if _is_like_the_output(group, position):
        return np.asarray(pyramid.stretch(jnp.asarray(image), (size[1], size[0])))
    resized = images.resize(image, size=None if size == image.shape[1::-1] else size)
    if group != "sources":
        return resized
    method = config.source.flatten
    if method == "auto":  # the edges are looked at before they are resized
        method = "periodic" if configs.tiles(config) and not edges.fit(image) else "none"
    return _flattened(method, position, resized)


def _is_like_the_output(group: str, position: int) -> bool:
    return group in ("content", "init") or (group == "analogy" and position == 2)


def _flattened(method: str, position: int, image: np.ndarray) -> np.ndarray:
    """The source without what the method of `light` takes off it, which is told where it is seen."""
    if method == "none":
        return image
    flat = light.flatten(image, method)
    levels = 255 * (image - flat).mean(-1)
    # The smooth part is steep at a few pixels of the edges.
    low, high = np.quantile(levels, (0.01, 0.99))
    if levels.std() >= SEEN:
        part = "smooth part that its opposite edges differ by" if method == "periodic" else f"{method} that fits it"
        warnings.warn(
            f"source {position + 1} is seen without the {part}, {high - low:.0f} levels of 255; "
            f"--config.source.flatten=none leaves this in.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
    return flat


def check_analogy(pictures: Sequence[np.ndarray], given: Sequence[tuple[str, Sequence[int]]]) -> None:
    """Raise TexjaxError where A and A' of an analogy differ in size.

    pictures: A, A' and B as they are compared. given: path of each, or "", and its shape [h, w, ...] before it was
        resized.
    """
    if pictures[0].shape[:2] == pictures[1].shape[:2]:
        return
    a, a_prime = (
        f"{f'{role} ({path})' if path else role} is {shape[1]} x {shape[0]} px"
        for role, (path, shape) in zip(("A", "A'"), given, strict=False)
    )
    raise errors.TexjaxError(f"{a} and {a_prime}; give two pictures of one size.")


def output_size(shape: Sequence[int], longer_side: int) -> tuple[int, int]:
    """Return width and height of the output for a content of that shape, [h, w, ...], which is not enlarged."""
    factor = min(1.0, longer_side / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))
