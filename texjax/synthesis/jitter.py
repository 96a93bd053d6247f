"""Rounds that start from a moved and recolored picture, as image-analogies has them.

What depends on the pixel grid or on levels of color then does not add up. Every `jitter.every` steps the picture is
rolled by up to `jitter.pixels` and colors of up to `jitter.color` are added; after these steps both are taken back. The
optimizer starts each round afresh.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from texjax import config as configs


class Round(NamedTuple):
    """Steps that are taken from a picture moved by (down, right) pixels and with a color [3] added."""

    steps: int
    shift: tuple[int, int] = (0, 0)
    color: np.ndarray = np.zeros(3, np.float32)

    def moved(self, images: np.ndarray) -> np.ndarray:
        """Pictures [..., h, w, 3] as the round begins with them."""
        return np.roll(images, self.shift, (-3, -2)) + self.color

    def back(self, images: np.ndarray) -> np.ndarray:
        """Those of the round as they are without the move."""
        down, right = self.shift
        return np.roll(images - self.color, (-down, -right), (-3, -2))


def rounds(config: configs.Config, below: int = 0) -> Iterator[Round]:
    """The rounds of `config.max_iter` steps; without jitter one, which changes nothing.

    below: octaves between the pictures and the whole ones; pixels are of the whole ones.
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
