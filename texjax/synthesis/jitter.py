"""Rounds that start from a moved and recolored picture, as image-analogies has them.

Artifacts that depend on the pixel grid or on color levels then do not add up. Every `jitter.every` steps the picture is
rolled by up to `jitter.pixels`, and a color of up to `jitter.color` is added; after these steps both are undone. The
optimizer starts each round afresh.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from texjax import config as configs


class Round(NamedTuple):
    """A number of steps, taken from a picture moved by (down, right) pixels and with a color [3] added."""

    steps: int
    shift: tuple[int, int] = (0, 0)
    color: np.ndarray = np.zeros(3, np.float32)

    def apply(self, images: np.ndarray) -> np.ndarray:
        """Return images [..., h, w, c] moved and recolored, as the round begins with them."""
        return np.roll(images, self.shift, (-3, -2)) + self.color[: images.shape[-1]]

    def undo(self, images: np.ndarray) -> np.ndarray:
        """Return images of the round with the move and the color taken back."""
        down, right = self.shift
        return np.roll(images - self.color[: images.shape[-1]], (-down, -right), (-3, -2))


def rounds(config: configs.Config, below: int = 0) -> Iterator[Round]:
    """Yield the rounds of `config.max_iter` steps; without jitter this is one round that changes nothing.

    below: octaves between the images and the full size, whose pixels `jitter.pixels` counts.
    """
    jitter = config.jitter
    if not jitter.pixels and not jitter.color:
        yield Round(config.max_iter)
        return
    rng = np.random.default_rng([config.seed, below])
    for begin in range(0, config.max_iter, jitter.every):
        shift = np.rint(rng.uniform(-jitter.pixels, jitter.pixels, 2) / 2**below).astype(int)
        color = rng.uniform(-jitter.color, jitter.color, 3).astype(np.float32)
        yield Round(min(jitter.every, config.max_iter - begin), (int(shift[0]), int(shift[1])), color)
