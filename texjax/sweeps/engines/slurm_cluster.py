"""Slurm, by submitit: a job array with an element for each batch."""

import ast
import importlib
import time
from collections.abc import Sequence
from typing import Any

from texjax import errors
from texjax.sweeps.engines import contract

POLL = 5.0
PATIENCE = 60  # seconds for canceled jobs to end; Slurm kills them after 30


def slurm(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """Batches as elements of a job array, `jobs` at a time.

    options: of submitit's `update_parameters`, such as slurm_partition=gpu and timeout_min=60; cluster=local runs them
    on this machine, to try. Logs are in `folder`, which all machines must see, as they must the sources.

    Raises TexjaxError where submitit is not installed or does not take an option, and where there is no Slurm.
    """
    try:
        submitit: Any = importlib.import_module("submitit")
    except ImportError:
        raise errors.TexjaxError("the engine slurm is not installed; pip install 'texjax[slurm]'.") from None
    options = {key: _value(text) for key, text in resources.options.items()}
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
            f"submitit does not start ({_line(error)}); see --option and its documentation."
        ) from error
    try:
        jobs = executor.map_array(work, list(batches))
    except RuntimeError as error:  # what sbatch says
        raise errors.EnvironmentFault(
            f"submitit cannot submit ({_line(error)}); see --option and the cluster's rules."
        ) from error
    try:
        while not all(job.done() for job in jobs):
            yield
            time.sleep(min(POLL, 0.2 * len(jobs)))
        yield
    finally:
        left = [job for job in jobs if not job.done()]
        for job in left:
            job.cancel()
        _wait(left)


def _wait(jobs: Sequence[Any]) -> None:
    """Until none is left that might still write, for some time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not all(job.done(force_check=True) for job in jobs):
        time.sleep(0.2)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _value(text: str) -> Any:
    """A number, or whatever else Python writes so; else the text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
