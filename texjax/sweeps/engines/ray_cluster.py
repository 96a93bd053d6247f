"""The engine of Ray: batches as tasks on an existing cluster, or else on this machine."""

import importlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from texjax import errors
from texjax.sweeps.engines import contract

POLL = 1.0  # seconds between ticks
PATIENCE = 30  # seconds that canceled tasks have to end


def ray(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run batches as tasks of Ray, on the cluster that this machine is part of or RAY_ADDRESS names, else here.

    All machines need texjax, and the folders of the sources and of the sweep under the same paths. A task whose machine
    is lost ends, and this engine does not repeat it.

    Raises:
        TexjaxError: If Ray is not installed, or does not accept the resources.
        EnvironmentFault: If Ray does not start, or this machine lacks the resources.
    """
    # Otherwise Ray would start its workers through uv, in a copy of the working directory.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        library = importlib.import_module("ray")
    except ImportError:
        raise errors.TexjaxError("the engine ray is not installed; pip install 'texjax[ray]'.") from None
    _connect(library, resources)
    remote = _remote(library, resources)
    waiting, running = list(batches), []
    try:
        while waiting or running:
            while waiting and (resources.jobs is None or len(running) < resources.jobs):
                running.append(remote.remote(work, waiting.pop(0)))
            _, running = library.wait(running, timeout=POLL)
            yield
    finally:
        for task in running:
            library.cancel(task)
        if running:
            library.wait(running, num_returns=len(running), timeout=PATIENCE)


def _remote(library: Any, resources: contract.Resources) -> Any:
    """Return `_task` as a remote function of Ray with the resources that a batch needs."""
    # JAX would claim most of a GPU's memory; a task with a fraction of a GPU gets that fraction of nine tenths of it.
    share = {"XLA_CLIENT_MEM_FRACTION": f"{0.9 * resources.gpus:.3f}"} if 0 < resources.gpus < 1 else {}
    try:
        return library.remote(_task).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            resources={"TPU": resources.tpus} if resources.tpus else {},
            runtime_env={"env_vars": share} if share else None,
            max_retries=0,
        )
    except ValueError as error:
        raise errors.TexjaxError(
            f"Ray does not accept these --cpus, --gpus or --tpus ({error}); change them."
        ) from error


def _task(work: contract.Work, batch: Any) -> None:
    try:
        work(batch)
    except KeyboardInterrupt:  # this is how Ray cancels a task
        return


def _connect(library: Any, resources: contract.Resources) -> None:
    """Connect to a cluster that answers, or start Ray on this machine."""
    if library.is_initialized():
        return
    quiet: dict[str, Any] = dict(log_to_driver=False, logging_level="warning")
    try:
        library.init(address="auto", **quiet)
        return
    except ConnectionError as error:
        if "RAY_ADDRESS" in os.environ:
            address = os.environ["RAY_ADDRESS"]
            raise errors.EnvironmentFault(
                f"no Ray cluster answers at RAY_ADDRESS={address}; start it, or unset the variable to use this machine."
            ) from error
    cpus = math.ceil(resources.cpus * resources.jobs) if resources.jobs else None
    try:
        library.init(num_cpus=cpus, include_dashboard=False, **quiet)
    except Exception as error:  # Ray raises a plain Exception if its processes do not start
        text = " ".join(str(error).split())[:300]
        raise errors.EnvironmentFault(
            f"Ray does not start ({text}); see its logs, or use --engine processes."
        ) from error
    _check_enough(library.cluster_resources(), resources)


def _check_enough(available: Mapping[str, float], resources: contract.Resources) -> None:
    """Raise EnvironmentFault if this machine lacks a resource, for which Ray would wait forever.

    A cluster is not checked, as it may grow.
    """
    for kind, needed in {"CPU": resources.cpus, "GPU": resources.gpus, "TPU": resources.tpus}.items():
        if needed > available.get(kind, 0):
            raise errors.EnvironmentFault(
                f"a run needs {needed:g} {kind}, and this machine has {available.get(kind, 0):g}; change "
                f"--{kind.lower()}s, or start a Ray cluster that has enough."
            )
