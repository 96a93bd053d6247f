"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from texjax import errors


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` by way of a temporary file beside it; on failure nothing is left and `path` is as it was.

    Raises EnvironmentFault where the folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise errors.EnvironmentFault(
            f"cannot write {path} ({error.strerror or error}); check its folder, rights and space."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
