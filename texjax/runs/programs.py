"""Keep the programs that JAX compiles from one process to the next, and explain when a program runs out of memory."""

import contextlib
import os
from collections.abc import Iterator

import jax
import platformdirs

from texjax import errors


def keep() -> None:
    """Turn on JAX's persistent compilation cache, in the user's cache folder.

    The environment variable TEXJAX_COMPILATION_CACHE names another folder, or turns the cache off with the value 0. A
    folder that is set in JAX's own configuration has priority.
    """
    folder = os.environ.get("TEXJAX_COMPILATION_CACHE") or os.path.join(
        platformdirs.user_cache_dir("texjax"), "programs"
    )
    if folder != "0" and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """Replace JAX's errors about exhausted device memory by an EnvironmentFault that says what to change."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
            raise errors.EnvironmentFault(
                "the device ran out of memory; give a --memory-budget below what it has, a smaller size, fewer "
                "outputs, or batch_mode 'map'; texjax plan shows what fits."
            ) from error
        raise
