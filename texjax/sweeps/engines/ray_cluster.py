"""Ray: a cluster that is there already, or else this machine as one."""

import importlib
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from texjax import errors
from texjax.sweeps.engines import contract

POLL = 1.0


def ray(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """Batches as tasks of Ray: on the cluster that this machine is part of or RAY_ADDRESS names, else on this machine.

    All machines need texjax, and the folders of the sources and of the sweep, under the same paths. A task whose
    machine is lost ends; nothing is tried again here.

    Raises TexjaxError where Ray is not installed.
    """
    # Ray would start its workers through uv in a copy of the working directory.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        library = importlib.import_module("ray")
    except ImportError:
        raise errors.TexjaxError("the engine ray is not installed; pip install 'texjax[ray]'.") from None
    _connect(library, resources)
    # JAX would take most of a GPU's memory for itself; a task with a part of the GPU gets that part.
    share = {"XLA_CLIENT_MEM_FRACTION": f"{0.9 * resources.gpus:.3f}"} if 0 < resources.gpus < 1 else {}
    try:
        remote = library.remote(_task).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            resources={"TPU": resources.tpus} if resources.tpus else {},
            runtime_env={"env_vars": share} if share else None,
            max_retries=0,
        )
    except ValueError as error:
        raise errors.TexjaxError(f"Ray takes no such --cpus, --gpus or --tpus ({error}); change them.") from error
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
        library.wait(running, num_returns=len(running), timeout=30) if running else None


def _task(work: contract.Work, batch: Any) -> None:
    try:
        work(batch)
    except KeyboardInterrupt:  # how Ray cancels
        return


def _connect(library: Any, resources: contract.Resources) -> None:
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
    except Exception as error:  # Ray raises no more special one where its processes do not come up
        text = " ".join(str(error).split())[:300]
        raise errors.EnvironmentFault(
            f"Ray does not start ({text}); see its logs, or use --engine processes."
        ) from error
    _check_enough(library.cluster_resources(), resources)


def _check_enough(has: Mapping[str, float], resources: contract.Resources) -> None:
    """Ray would wait forever for what this machine has not; a cluster may grow."""
    for kind, need in {"CPU": resources.cpus, "GPU": resources.gpus, "TPU": resources.tpus}.items():
        if need > has.get(kind, 0):
            raise errors.EnvironmentFault(
                f"a run is to have {need:g} {kind}, and this machine has {has.get(kind, 0):g}; change "
                f"--{kind.lower()}s, or start a Ray cluster that has them."
            )
