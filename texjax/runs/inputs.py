"""The pictures of a run, read from files and resized as the config says."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import errors, images, pyramid
from texjax.images import light

Paths = Mapping[str, Sequence[Path]]  # group -> files


def load(config: configs.Config, paths: Paths) -> dict[str, list[np.ndarray]]:
    """Read the pictures of each group, [h, w, 3], at the size that the config wants.

    Raises TexjaxError for values that no run can have, for a picture that cannot be read, and where A and A' of an
    analogy differ in size.
    """
    source = config.source

    def read(path: Path) -> np.ndarray:
        return images.load(path, background=tuple(source.background), max_pixels=source.max_pixels)

    pictures = {
        group: [fit(config, group, i, read(path)) for i, path in enumerate(files)] for group, files in paths.items()
    }
    check_analogy(pictures)
    return pictures


def fit(config: configs.Config, group: str, position: int, image: np.ndarray) -> np.ndarray:
    """Resize a picture [h, w, 3] of a group: contents, and B of an analogy, to the output's size, others as sources.

    position: of the picture in its group; the pictures of an analogy are A, A' and B.
    """
    if group == "content" or (group == "analogy" and position == 2):
        width, height = config.size
        return np.asarray(pyramid.stretch(jnp.asarray(image), (height, width)))
    source, (height, width) = config.source, image.shape[:2]
    wanted = source.width
    if source.fit and not wanted and not source.scale:
        wanted = max(1, round(width * source.fit * max(config.size) / max(height, width)))
    resized = images.resize(image, scale=source.scale or None, width=wanted or None, max_pixels=source.max_pixels)
    return _flattened(config, position, resized) if group == "sources" else resized


def _flattened(config: configs.Config, position: int, image: np.ndarray) -> np.ndarray:
    """The source without uneven light where the config asks for it, or where a picture that tiles needs it."""
    method = config.source.flatten
    if method == "auto":
        is_uneven = configs.tiles(config) and light.planar_share(image) >= light.LIGHT
        method = "plane" if is_uneven else "none"
    flat = light.flatten(image, method)
    span = round(255 * float(np.ptp((image - flat).mean(-1))))
    if method != "none":
        warnings.warn(
            f"source {position + 1} is unevenly lit, and a {method} of {span} levels of 255 is taken off it; "
            f"--config.source.flatten=none leaves it as it is.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
    return flat


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
