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
        with tempfile.NamedTemporaryFile(prefix=".part-", dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(data)
        # A temporary file is private; this one gets the rights of any new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise errors.EnvironmentFault(
            f"cannot write {path} ({error.strerror or error}); check its folder, rights and space."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
