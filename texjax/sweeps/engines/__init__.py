"""Where the batches of a sweep run: in this process, in other processes of this machine, or on a cluster.

An engine is a function of `work`, `batches` and `contract.Resources`. It calls work(batch) once for every batch,
somewhere, and yields from time to time, so that its caller can look at the files that the batches have written. It ends
when every batch has ended, in whatever way, even by the death of its process: results are files, and an engine returns
nothing.
"""

from texjax.sweeps.engines.local import processes, serial
from texjax.sweeps.engines.ray_cluster import ray
from texjax.sweeps.engines.slurm_cluster import slurm

# The names of all engines, for `texjax sweep --engine`; no import here brings in JAX, Ray or submitit.
__all__ = ["processes", "ray", "serial", "slurm"]
