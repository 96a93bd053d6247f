"""Find and load the compiled library of `texjax/native`, and choose between it and XLA."""

import ctypes
import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jaxlib.version
import platformdirs

from texjax import errors

NAME = "texjax_onednn.so"
SOURCES = Path(__file__).parents[1] / "native"
BACKENDS = ("auto", "xla", "onednn")
INTERFACE = 3  # of the calls; a library with another one was built for another version of texjax
COMMAND = "python -m texjax.features.native_build"


class Library(NamedTuple):
    """A loaded library, with the version of oneDNN and the speed class of the processor.

    bf16, avx512: whether oneDNN finds these instructions.
    """

    version: str
    avx512: bool
    bf16: bool


class Choice(NamedTuple):
    """What computes the networks, "xla" or "onednn", and a sentence on why the other one does not."""

    name: str
    reason: str


def places() -> list[Path]:
    """Return the files that may be the library: beside its sources, and in the user's cache folder."""
    return [SOURCES / NAME, Path(platformdirs.user_cache_dir("texjax")) / "native" / NAME]


def load() -> Library | str:
    """Return the loaded library with its calls registered, or a sentence on why there is none."""
    return _load(tuple(places()))


@functools.cache
def _load(paths: tuple[Path, ...]) -> Library | str:
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        return f"the library for oneDNN is not built; `{COMMAND}` builds it."
    try:
        handle = ctypes.CDLL(str(path))
        handle.texjax_jaxlib.restype = ctypes.c_char_p
        built_for, interface = handle.texjax_jaxlib().decode(), handle.texjax_interface()
    except (OSError, AttributeError) as error:
        return f"{path} does not load ({error}); `{COMMAND}` builds it anew."
    if built_for != jaxlib.version.__version__:
        return f"{path} is for jaxlib {built_for}, not {jaxlib.version.__version__}; `{COMMAND}` builds it anew."
    if interface != INTERFACE:
        return f"{path} is for another version of texjax; `{COMMAND}` builds it anew."
    for call in ("texjax_forward", "texjax_backward"):
        jax.ffi.register_ffi_target(call, jax.ffi.pycapsule(getattr(handle, call)), platform="cpu")
    number, processor = handle.texjax_onednn(), handle.texjax_processor()
    return Library(f"{number // 10000}.{number // 100 % 100}.{number % 100}", processor >= 1, processor >= 2)


def choose(backend: str, precision: str) -> Choice:
    """Return what computes networks of this precision, by the setting `backend`.

    Raises:
        TexjaxError: for an unknown backend, and for "onednn" where it cannot be had.
    """
    if backend not in BACKENDS:
        raise errors.unknown("backend", backend, BACKENDS)
    if backend == "xla":
        return Choice("xla", "features.backend is xla.")
    library, platform = load(), jax.default_backend()
    if platform != "cpu":
        obstacle = f"oneDNN runs on CPU, and JAX runs on {platform}."
    elif isinstance(library, str):
        obstacle = library
    elif backend == "auto" and not library.avx512:
        obstacle = "the processor has no AVX-512, without which oneDNN is no faster."
    elif backend == "auto" and precision == "bf16" and not library.bf16:
        obstacle = "the processor has no instructions for bfloat16."
    else:
        isa = "bfloat16" if library.bf16 else "AVX-512" if library.avx512 else "no AVX-512"
        return Choice("onednn", f"oneDNN {library.version} is faster on CPU (the processor has {isa}).")
    if backend == "onednn":
        raise errors.TexjaxError(f"features.backend is onednn, but {obstacle} features.backend=auto does without it.")
    return Choice("xla", obstacle)
