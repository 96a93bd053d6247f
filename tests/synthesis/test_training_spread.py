"""A training on four devices computes what it computes on one, and each device has a part of the pictures."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from tests.runs import conftest
from texjax import errors
from texjax.synthesis import devices, training

SCRIPT = """
import json
import jax, numpy as np
from tests.runs import conftest
from texjax.synthesis import training

pictures = {"sources": [np.random.default_rng(0).random((40, 40, 3)).astype(np.float32)]}
results = []
for mode in ("one", "all"):
    config = conftest.config_of(devices=mode, count=8, max_iter=3, save_every=3)
    run = training.prepare(config, pictures)
    (last,) = run.iterates
    results.append(last)
one, all_ = results
leaves = zip(jax.tree.leaves(one.state.weights), jax.tree.leaves(all_.state.weights), strict=True)
difference = max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in leaves)
devices = len(jax.tree.leaves(all_.state.weights)[0].sharding.device_set)
print(json.dumps({"difference": difference, "losses": [one.loss, all_.loss], "devices": devices}))
"""


@pytest.mark.slow
def test_four_devices_train_as_one_does():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    process = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2000:]
    results = json.loads(process.stdout)
    assert results["devices"] == 4
    assert results["losses"][1] == pytest.approx(results["losses"][0], rel=1e-4)
    assert results["difference"] < 2e-3  # Adam divides by gradients that are nearly zero


def test_one_picture_a_step_cannot_be_spread(monkeypatch):
    mesh = jax.make_mesh((1,), ("devices",))
    monkeypatch.setattr(devices, "layout", lambda config: devices.Layout(mesh, by_rows=True))
    with pytest.raises(errors.TexjaxError, match=r"count is 1; give more by --config\.count"):
        training.prepare(conftest.config_of(count=1), {"sources": [np.zeros((40, 40, 3), np.float32)]})
