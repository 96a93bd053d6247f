"""What all engines take."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Work: TypeAlias = Callable[[Any], None]
Moments: TypeAlias = Generator[None, None, None]
Engine: TypeAlias = Callable[..., Moments]


class Resources(NamedTuple):
    """What an engine is to use.

    jobs: batches at a time, at most; None for as many as the engine thinks right. folder: for its own files. cpus,
    gpus, tpus: that a batch needs while it runs; parts of a GPU are possible. options: of the cluster's own.
    """

    jobs: int | None
    folder: Path
    cpus: float = 1
    gpus: float = 0
    tpus: float = 0
    options: Mapping[str, str] = {}
