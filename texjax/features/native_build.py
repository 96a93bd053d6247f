"""Compile `texjax/native` into the library that `native_library` finds: `python -m texjax.features.native_build`.

It needs g++ (or the compiler in CXX) and oneDNN: that of the Python environment, which `pip install texjax[onednn]` and
conda put there, or else that of the system, Debian's libdnnl-dev. Further options of the compiler, such as those for
another oneDNN, are taken from CXXFLAGS and LDFLAGS.
"""

import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import jaxlib.version

from texjax import errors
from texjax.features import native_library


def command(output: Path) -> list[str]:
    """Return the command that compiles the library for the installed jaxlib."""
    # Whatever the level, oneDNN chooses its instructions at run time.
    level = ["-march=x86-64-v3"] if platform.machine() == "x86_64" else []
    include, library = Path(sys.prefix, "include"), Path(sys.prefix, "lib")
    # Naming the system's own folder of headers would hide those of the C++ library.
    has_onednn = (include / "dnnl.hpp").exists() and include != Path("/usr/include")
    own = ["-isystem", str(include), f"-L{library}", f"-Wl,-rpath,{library}"] if has_onednn else []
    return [
        os.environ.get("CXX") or "g++",
        *("-std=c++20", "-O3", *level, "-fPIC", "-shared", "-fopenmp", "-isystem", jax.ffi.include_dir()),
        f'-DTEXJAX_JAXLIB="{jaxlib.version.__version__}"',
        f"-DTEXJAX_INTERFACE={native_library.INTERFACE}",
        *shlex.split(os.environ.get("CXXFLAGS", "")),
        *(str(native_library.SOURCES / "onednn.cc"), "-o", str(output)),
        *shlex.split(os.environ.get("LDFLAGS", "")),
        *own,
        "-ldnnl",
    ]


def build() -> Path:
    """Compile the library, beside its sources or in the user's cache folder, and return its path.

    Raises:
        EnvironmentFault: where there is no compiler or no oneDNN.
    """
    path = next(path for path in native_library.places() if _is_writable(path.parent))
    # A process that has loaded the old file keeps it.
    fresh = path.with_suffix(f".{os.getpid()}")
    words = command(fresh)
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise errors.EnvironmentFault(f"{words[0]} does not run ({error.strerror}); install g++.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
        raise errors.EnvironmentFault(
            f"{words[0]} could not compile the library ({lines[0].strip()}); install oneDNN, by `pip install "
            "'texjax[onednn]'` or as Debian's libdnnl-dev."
        )
    fresh.replace(path)
    return path


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


if __name__ == "__main__":
    try:
        print(build())
    except errors.TexjaxError as error:
        sys.exit(str(error))
