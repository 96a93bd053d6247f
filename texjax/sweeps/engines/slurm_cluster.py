"""The engine of Slurm, by submitit: a job array with one element for each batch."""

import ast
import importlib
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from texjax import errors
from texjax.sweeps.engines import contract

POLL = 5.0  # seconds between ticks, at most
PATIENCE = 60  # seconds that canceled jobs have to end; Slurm kills them after 30


def slurm(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run batches as elements of a job array, at most `jobs` at a time.

    The options are those of submitit's `update_parameters`, such as slurm_partition=gpu and timeout_min=60; the option
    cluster=local runs the array on this machine, as a trial. Logs go to `folder`, which all machines must see, as they
    must see the sources.

    Raises:
        TexjaxError: If submitit is not installed or does not accept an option, or there is no Slurm.
        EnvironmentFault: If Slurm refuses the job.
    """
    try:
        submitit: Any = importlib.import_module("submitit")
    except ImportError:
        raise errors.TexjaxError("the engine slurm is not installed; pip install 'texjax[slurm]'.") from None
    options = {key: _parsed(text) for key, text in resources.options.items()}
    try:
        executor = submitit.AutoExecutor(folder=resources.folder / "slurm", cluster=options.pop("cluster", "slurm"))
        executor.update_parameters(
            cpus_per_task=max(1, round(resources.cpus)),
            gpus_per_node=round(resources.gpus),
            slurm_array_parallelism=resources.jobs or len(batches),
            **options,
        )
    except (RuntimeError, NameError, ValueError, TypeError, AssertionError) as error:
        raise errors.TexjaxError(
            f"submitit does not start ({_one_line(error)}); see --option and the documentation of submitit."
        ) from error
    try:
        jobs = executor.map_array(Requeued(work), list(batches))
    except RuntimeError as error:  # it has the message of sbatch
        raise errors.EnvironmentFault(
            f"submitit cannot submit ({_one_line(error)}); see --option and the cluster's rules."
        ) from error
    try:
        while not all(job.done() for job in jobs):
            yield
            time.sleep(min(POLL, 0.2 * len(jobs)))
        yield
    finally:
        unfinished = [job for job in jobs if not job.done()]
        for job in unfinished:
            job.cancel()
        _wait(unfinished)


class Requeued(NamedTuple):
    """Work that submitit submits once more where Slurm preempts it or its time is over.

    A batch passes over runs that have ended, and goes on with the others from their checkpoints.
    """

    work: contract.Work

    def __call__(self, batch: Any) -> None:
        """Carry out the batch."""
        self.work(batch)

    def checkpoint(self, batch: Any) -> Any:
        """Return what submitit is to submit; it calls this on the signal that comes before the end."""
        return importlib.import_module("submitit").helpers.DelayedSubmission(self, batch)


def _wait(jobs: Sequence[Any]) -> None:
    """Wait until no job can write any more, but no longer than `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not all(job.done(force_check=True) for job in jobs):
        time.sleep(0.2)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _parsed(text: str) -> Any:
    """Return the Python literal that the text spells, such as a number, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
