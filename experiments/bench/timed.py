"""What experiments that race recipes share: sources at the size that suits a result, and runs with their times."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import images
from texjax.runs import run
from texjax.synthesis import schedule


class Moment(NamedTuple):
    """Where a run stands: seconds since its start without compiling, steps, the picture [h, w, 3] in [0, 1]."""

    seconds: float
    steps: int
    image: np.ndarray


def source(path: Path, size: int) -> np.ndarray:
    """The picture [h, w, 3]; a wider one than twice `size` is reduced to that."""
    whole = images.load(path)
    return images.load(path, width=2 * size) if whole.shape[1] > 2 * size else whole


def moments(config: configs.Config, source: np.ndarray) -> Iterator[Moment]:
    """A run's moments, at full size; those of coarser scales only count. Programs are compiled beforehand."""
    arrays = [jnp.asarray(source)]
    first = schedule.scales(config)[0]
    stack = run.start(first.config, schedule.reduced(arrays, first))
    brief = config.copy_and_resolve_references()
    with brief.unlocked():
        brief.max_iter, brief.schedule.steps = 1, (1,) * len(config.schedule.steps)
    list(run.iterates(brief, arrays, stack))
    seconds = 0.0
    for now in run.iterates(config, arrays, stack):
        seconds += now.seconds
        image = now.images[0, 0]
        if image.shape[1::-1] == tuple(config.size):
            yield Moment(seconds, now.step, np.clip(image, 0, 1))
