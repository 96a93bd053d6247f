"""The types that all engines share."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

Work: TypeAlias = Callable[[Any], None]  # what an engine calls with every batch
Ticks: TypeAlias = Generator[None, None, None]  # yields from time to time until every batch has ended
Engine: TypeAlias = Callable[..., Ticks]  # (work, batches, resources) -> ticks


class Resources(NamedTuple):
    """What an engine may use.

    Attributes:
        jobs: The largest number of batches at a time; None leaves the number to the engine.
        folder: A folder for files of the engine.
        cpus: CPUs that a batch needs while it runs.
        gpus: GPUs that a batch needs; a fraction shares a GPU.
        tpus: TPUs that a batch needs.
        options: Settings of the cluster, by name.
    """

    jobs: int | None
    folder: Path
    cpus: float = 1
    gpus: float = 0
    tpus: float = 0
    options: Mapping[str, str] = {}
