"""The pictures of a run, read from files and resized as the config says."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, images, pyramid
from texjax.images import light
from texjax.runs import scale

Paths = Mapping[str, Sequence[Path]]  # group -> files


def load(config: configs.Config, paths: Paths) -> dict[str, list[np.ndarray]]:
    """Read the pictures of each group, [h, w, 3], at the size that the config wants.

    Raises TexjaxError for values that no run can have, for a picture that cannot be read, and where A and A' of an
    analogy differ in size.
    """
    source = config.source

    def read(path: Path) -> np.ndarray:
        return images.load(path, background=tuple(source.background), max_pixels=source.max_pixels)

    # A' decides the size of A too.
    like = read(paths["analogy"][1]) if source.auto_width and "analogy" in paths else None
    pictures = {
        group: [fit(config, group, i, read(path), like) for i, path in enumerate(files)]
        for group, files in paths.items()
    }
    check_analogy(pictures)
    return pictures


def fit(
    config: configs.Config, group: str, position: int, image: np.ndarray, like: np.ndarray | None = None
) -> np.ndarray:
    """Resize a picture [h, w, 3] of a group: contents, and B of an analogy, to the output's size, others as sources.

    position: of the picture in its group; the pictures of an analogy are A, A' and B. like: see `scale.factor`; the
    picture itself if left out.
    """
    if group == "content" or (group == "analogy" and position == 2):
        width, height = config.size
        return np.asarray(pyramid.stretch(jnp.asarray(image), (height, width)))
    source = config.source
    factor = scale.factor(config, image, image if like is None else like)
    resized = images.resize(image, scale=factor, max_pixels=source.max_pixels)
    return light.flatten(resized, source.flatten)


def check_analogy(pictures: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Raise TexjaxError where A and A' of an analogy differ in size."""
    if "analogy" not in pictures:
        return
    a, a_prime, _ = (f"{image.shape[1]} x {image.shape[0]} px" for image in pictures["analogy"])
    if a != a_prime:
        raise errors.TexjaxError(f"A is {a} and A' is {a_prime}; give two pictures of one size.")


def output_size(shape: Sequence[int], longer_side: int) -> tuple[int, int]:
    """Return width and height of the output for a content of that shape, [h, w, ...], which is not enlarged."""
    factor = min(1.0, longer_side / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))
