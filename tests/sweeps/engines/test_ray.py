"""The engine of Ray: on this machine, and on a cluster of two nodes, one of which is killed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from texjax import errors
from texjax.sweeps.engines import contract, ray_cluster

# Two raylets of 1 CPU each; the process id of the second one is printed, so that it can be killed.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
head = dict(num_cpus=1, include_dashboard=False, temp_dir=sys.argv[1])
cluster = Cluster(True, head_node_args=head)
second = cluster.add_node(num_cpus=1)
raylet = second.all_processes["raylet"][0].process.pid
print(cluster.address, raylet, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def cluster(place) -> Iterator[tuple[str, int]]:
    """The address of a cluster, and the process id of its second node's raylet."""
    pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # short, as paths of sockets in it have a limit
    words = [sys.executable, "-W", "ignore", "-c", CLUSTER, folder]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, env=place.environment, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        address, raylet = process.stdout.readline().split()
        yield address, int(raylet)
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


def end(process: subprocess.Popen[str]) -> None:
    """Let the cluster end, and kill the remaining processes of its session."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=120)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_on_this_machine(place, expected):
    pytest.importorskip("ray")
    place.sweep("all", "local", "--engine", "ray", "--jobs", 2)
    assert len(expected) == 24 and place.pictures("local") == expected


@pytest.mark.slow
def test_a_node_is_killed(place, expected, cluster, waiting):
    """The other node makes the runs of the killed one, and none is lost."""
    address, raylet = cluster
    process = place.start("all", "nodes", "--engine", "ray", RAY_ADDRESS=address)
    waiting(lambda: len(place.ended("nodes")) >= 6, process)
    os.kill(raylet, signal.SIGKILL)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out + err
    assert "24 runs: 24 finished" in out and place.pictures("nodes") == expected


@pytest.mark.slow
def test_the_sweep_is_killed_on_a_cluster(place, cluster, waiting):
    """Its tasks end with it, so that no process writes any more when the next sweep starts."""
    address, _ = cluster
    words = ("few", "orphans", "--engine", "ray", "--config.max_iter=300")
    process = place.start(*words, RAY_ADDRESS=address)
    waiting(lambda: "running" in place.statuses("orphans").values(), process)
    process.kill()
    process.communicate(timeout=60)
    time.sleep(5)
    before = place.marks("orphans"), place.statuses("orphans")
    time.sleep(2)
    assert (place.marks("orphans"), place.statuses("orphans")) == before, "somebody still writes"
    place.sweep(*words, RAY_ADDRESS=address)
    assert len(place.ended("orphans")) == 4
    after = place.marks("orphans")
    assert {run: after[run] for run in before[0]} == before[0]


@pytest.mark.slow
def test_ctrl_c(place, waiting):
    pytest.importorskip("ray")
    words = ("few", "interrupted", "--engine", "ray", "--jobs", 1, "--config.max_iter=300")
    process = place.start(*words)
    waiting(lambda: "running" in place.statuses("interrupted").values(), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err or "Exception ignored in" in err  # as in a callback of the garbage collector
    assert not {"running", "failed"} & set(place.statuses("interrupted").values())
    place.sweep("few", "interrupted", "--engine", "serial", "--config.max_iter=300")
    assert len(place.ended("interrupted")) == 4


class Library:
    """In place of the module `ray`: remembers how it was started, and which resources its tasks need."""

    def __init__(self, resources: dict[str, float], cluster: bool = False) -> None:
        self.resources, self.cluster = resources, cluster
        self.inits: list[dict[str, Any]] = []
        self.options: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return False

    def init(self, **settings: Any) -> None:
        if "address" in settings and not self.cluster:
            raise ConnectionError("no cluster")
        self.inits.append(settings)

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, function: Callable[..., None]) -> Any:
        def options(**settings: Any) -> Any:
            self.options = settings
            return SimpleNamespace(remote=function)

        return SimpleNamespace(options=options)

    def wait(self, running: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return running[:1], running[1:]


def use(monkeypatch, library: Library, resources: contract.Resources, batches=((1,), (2,))) -> list[Any]:
    monkeypatch.setattr(ray_cluster.importlib, "import_module", lambda name: library)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done: list[Any] = []
    list(ray_cluster.ray(done.append, batches, resources))
    return done


def test_the_resources_of_a_task(monkeypatch, tmp_path):
    library = Library({"CPU": 8.0, "GPU": 1.0})
    assert use(monkeypatch, library, contract.Resources(3, tmp_path, cpus=2, gpus=0.25)) == [(1,), (2,)]
    assert library.inits[0]["num_cpus"] == 6  # three tasks of two
    options = library.options
    assert (options["num_cpus"], options["num_gpus"], options["resources"], options["max_retries"]) == (2, 0.25, {}, 0)
    # JAX gets nine tenths of the task's quarter; the rest is for everything that JAX does not allocate itself.
    assert options["runtime_env"] == {"env_vars": {"XLA_CLIENT_MEM_FRACTION": "0.225"}}


def test_an_existing_cluster_is_used(monkeypatch, tmp_path):
    library = Library({}, cluster=True)
    use(monkeypatch, library, contract.Resources(None, tmp_path, tpus=4))
    assert library.inits[0]["address"] == "auto" and len(library.inits) == 1
    assert (library.options["resources"], library.options["runtime_env"]) == ({"TPU": 4}, None)


@pytest.mark.parametrize(("gpus", "cpus", "text"), [(1, 1, "1 GPU, and this machine has 0"), (0, 64, "64 CPU")])
def test_resources_that_this_machine_lacks(gpus, cpus, text, monkeypatch, tmp_path):
    """Ray would wait for them forever."""
    with pytest.raises(errors.EnvironmentFault, match=text):
        use(monkeypatch, Library({"CPU": 2.0}), contract.Resources(None, tmp_path, cpus, gpus))


def test_a_cluster_that_does_not_answer(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_cluster.importlib, "import_module", lambda name: Library({}))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(errors.EnvironmentFault, match=r"RAY_ADDRESS=127\.0\.0\.1:1"):
        list(ray_cluster.ray(lambda batch: None, [(1,)], contract.Resources(1, Path())))


def test_ray_that_does_not_start(monkeypatch, tmp_path):
    library = Library({})

    def init(**settings: Any) -> None:
        raise ConnectionError if "address" in settings else Exception("The current node\ntimed out.")

    library.init = init  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(errors.EnvironmentFault, match=r"Ray does not start \(The current node timed out\.\)"):
        use(monkeypatch, library, contract.Resources(1, tmp_path))
