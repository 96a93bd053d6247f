"""Write files as a whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from texjax import errors


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to a temporary file beside `path` and rename it to `path`.

    If this fails, `path` is unchanged and the temporary file is removed. File and folder are flushed to the disk, so
    that the data outlasts a power cut.

    Raises:
        EnvironmentFault: If the folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(prefix=".part-", dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Temporary files are readable by their owner only, so this one gets the permissions of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise errors.EnvironmentFault(
            f"cannot write {path} ({error.strerror or error}); check its folder, permissions and disk space."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def _flush(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
