"""The engine of Slurm: with submitit's executor for this machine, and with options that submitit refuses."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from texjax import errors
from texjax.sweeps.engines import contract, slurm_cluster


def refuse(tmp_path: Path, **options: str) -> str:
    pytest.importorskip("submitit")
    with pytest.raises(errors.TexjaxError) as error:
        list(slurm_cluster.slurm(print, [[1]], contract.Resources(1, tmp_path, options=options)))
    return str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cluster": "local", "memory": "4"}, "memory"),
        ({"cluster": "slum"}, "slum"),
        ({"cluster": "local", "mem_gb": "much"}, "much"),
    ],
)
def test_options_that_submitit_refuses(options, words, tmp_path):
    text = refuse(tmp_path, **options)
    assert words in text and "--option" in text and text.endswith(".") and "\n" not in text


def test_no_slurm_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "submitit does not start" in refuse(tmp_path)


class Job:
    """A job that ends when it is canceled."""

    def __init__(self, ended: bool) -> None:
        self.ended, self.canceled = ended, False

    def done(self, force_check: bool = False) -> bool:
        return self.ended or (self.canceled and force_check)

    def cancel(self) -> None:
        self.canceled = True


class Executor:
    """In place of submitit's executor: accepts everything and runs nothing."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.settings, self.parameters = error, {}, {}
        self.jobs = [Job(True), Job(False)]

    def __call__(self, **settings: Any) -> "Executor":
        self.settings = settings
        return self

    def update_parameters(self, **parameters: Any) -> None:
        self.parameters = parameters

    def map_array(self, work: Any, batches: Any) -> list[Job]:
        if self.error:
            raise self.error
        return self.jobs


def use(monkeypatch, executor: Executor, resources: contract.Resources):
    library = SimpleNamespace(AutoExecutor=executor)
    monkeypatch.setattr(slurm_cluster.importlib, "import_module", lambda name: library)
    return slurm_cluster.slurm(print, [[1], [2]], resources)


def test_the_parameters_of_a_job_array(monkeypatch, tmp_path):
    options = {"slurm_partition": "gpu", "timeout_min": "60", "mem_gb": "4.5", "slurm_time": "01:00:00"}
    executor = Executor()
    next(use(monkeypatch, executor, contract.Resources(3, tmp_path, cpus=4, gpus=1, options=options)))
    assert executor.settings == {"folder": tmp_path / "slurm", "cluster": "slurm"}
    assert executor.parameters == {
        "cpus_per_task": 4,
        "gpus_per_node": 1,
        "slurm_array_parallelism": 3,
        "slurm_partition": "gpu",
        "timeout_min": 60,
        "mem_gb": 4.5,
        "slurm_time": "01:00:00",
    }


def test_jobs_of_a_closed_engine_are_canceled(monkeypatch, tmp_path):
    executor = Executor()
    ticks = use(monkeypatch, executor, contract.Resources(None, tmp_path))
    next(ticks)
    ticks.close()
    assert [job.canceled for job in executor.jobs] == [False, True]


def test_an_error_of_sbatch(monkeypatch, tmp_path):
    executor = Executor(RuntimeError("sbatch: error:\n invalid partition"))
    with pytest.raises(errors.EnvironmentFault, match="sbatch: error: invalid partition") as error:
        next(use(monkeypatch, executor, contract.Resources(None, tmp_path)))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_on_this_machine(place):
    """The pictures equal those of the engine `serial`."""
    pytest.importorskip("submitit")
    place.sweep("few", "serial")
    place.sweep("few", "slurm", "--engine", "slurm", "--jobs", 2, "--option", "cluster=local", "--gpus", 0)
    assert place.pictures("slurm") == place.pictures("serial") and len(place.pictures("slurm")) == 4


def test_a_preempted_batch_is_submitted_again():
    pytest.importorskip("submitit")
    calls = []
    requeued = slurm_cluster.Requeued(calls.append)
    requeued(["task"])
    again = requeued.checkpoint(["task"])
    again.function(*again.args, **again.kwargs)
    assert calls == [["task"], ["task"]]
