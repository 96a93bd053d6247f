"""Programs that JAX compiles, kept from one start to the next, and what goes wrong in them."""

import contextlib
import os
from collections.abc import Iterator

import jax
import platformdirs

from texjax import errors


def keep() -> None:
    """Turn on JAX's persistent compilation cache, in the user's cache folder.

    TEXJAX_COMPILATION_CACHE=0 turns it off; any other value is the folder to use. JAX's own settings win.
    """
    folder = os.environ.get("TEXJAX_COMPILATION_CACHE") or os.path.join(
        platformdirs.user_cache_dir("texjax"), "programs"
    )
    if folder != "0" and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """Turn the device's running out of memory into one sentence."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
            raise errors.EnvironmentFault(
                "the device ran out of memory; use a smaller size, count or history_size, or batch_mode 'map'."
            ) from error
        raise
