"""Where the batches of a sweep run: here, in processes beside, or on the machines of a cluster.

An engine is called with `work`, `batches` and `contract.Resources`. It calls work(batch) once for every batch,
somewhere, and yields now and then, so that its caller can look at what has been written. It ends when every batch has
ended, whatever became of the process that had it: results are in files, and nothing is given back.
"""

from texjax.sweeps.engines.local import processes, serial
from texjax.sweeps.engines.ray_cluster import ray
from texjax.sweeps.engines.slurm_cluster import slurm

__all__ = ["processes", "ray", "serial", "slurm"]
