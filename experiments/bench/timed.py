"""What the experiments that race recipes share: sources of a suitable size, and runs that report their time."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import texjax
from texjax import config as configs
from texjax import images


class Moment(NamedTuple):
    """Where a run stands: seconds since its start without compiling, steps, the picture [h, w, 3] in [0, 1]."""

    seconds: float
    steps: int
    image: np.ndarray


def source(path: Path, size: int) -> np.ndarray:
    """Return the picture [h, w, 3], reduced to a width of twice `size` where it is wider."""
    whole = images.load(path)
    return images.load(path, width=2 * size) if whole.shape[1] > 2 * size else whole


def moments(config: configs.Config, source: np.ndarray) -> Iterator[Moment]:
    """Yield the moments of a run at full size; the time at coarser sizes counts too.

    A run of one step at every size comes first, so that the programs are compiled before the clock starts.
    """
    one_step_each = {"max_iter": 1, "schedule.steps": (1,) * len(config.schedule.steps)}
    for _ in texjax.iterate(source, config=config, **one_step_each):
        pass
    seconds = 0.0
    for iterate in texjax.iterate(source, config=config):
        seconds += iterate.seconds
        image = iterate.images[0, 0]
        if image.shape[1::-1] == tuple(config.size):
            yield Moment(seconds, iterate.step, np.clip(image, 0, 1))
