"""What every test relies on: strict rank promotion, no compilation cache, nobody's caches touched, real test data.

Nothing of texjax is imported here at the top: jaxtyping instruments its modules as the tests import them.
"""

import os
import tempfile
from pathlib import Path

import hypothesis
import jax
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported: some libraries look for their folders at import."""
    # Tests count compilations, and a cache would hide what no longer compiles. A folder in the variable overrides it.
    if os.environ.setdefault("TEXJAX_COMPILATION_CACHE", "0") == "0":
        jax.config.update("jax_enable_compilation_cache", False)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    # Compiling takes long, and most properties here are of continuous numbers: a few draws say what a hundred do.
    hypothesis.settings.register_profile("texjax", hypothesis.settings(), deadline=None, max_examples=20)
    hypothesis.settings.load_profile("texjax")

    folder = tempfile.TemporaryDirectory(prefix="texjax-tests-")
    config.add_cleanup(folder.cleanup)
    isolated = pytest.MonkeyPatch()
    config.add_cleanup(isolated.undo)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TEXJAX_CACHE", "MPLCONFIGDIR"):
        path = Path(folder.name, name.lower())
        path.mkdir()
        isolated.setenv(name, str(path))
    isolated.setenv("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder TEXJAX_TEST_DATA with `images/` and `weights/`; tests that want it are skipped where it is not."""
    folder = os.environ.get("TEXJAX_TEST_DATA")
    if not folder:
        pytest.skip("TEXJAX_TEST_DATA is not set: it names a folder with images/ and weights/")
    if not Path(folder).is_dir():
        pytest.skip(f"TEXJAX_TEST_DATA={folder} is not a folder: it names one with images/ and weights/")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def random_vgg19(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file of VGG-19's first three blocks with random weights, flagged as normalized."""
    import jax.numpy as jnp
    import numpy as np

    from texjax.features import vgg
    from texjax.features.weights import files

    network = vgg.VGG((2, 2, 4), vgg.WIDTHS[:3], "average", "same")
    params = network.init(jax.random.key(5), jnp.zeros((24, 24, 3)), ("conv3_4",))["params"]
    layers = {"mean": np.full(3, 0.45, np.float32), **jax.tree.map(np.asarray, params)}
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    files.write(path, layers, {"network": "vgg19", "preprocessing": "none", "normalized": "photographs"})
    return path
