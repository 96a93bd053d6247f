"""Download of the known weight files: verified, whole or not at all, and from a mirror where an address fails."""

import os
import tempfile
from pathlib import Path
from typing import Any

from texjax import errors
from texjax.features.weights import catalog


def fetch(
    name: str, folder: str | os.PathLike[str] | None = None, *, progress: Any = None, timeout: float = 30.0
) -> Path:
    """Download a known file, verify its checksum and return its path; a file that is already there is kept.

    Args:
        name: a key of `catalog.FILES`.
        folder: the destination; texjax's cache by default.
        progress: a progress bar as pooch calls it: an object with `total`, `update(bytes)`, `reset()` and `close()`.
        timeout: seconds without an answer after which an address has failed.

    Raises:
        TexjaxError: for an unknown name, and for a file that is not offered for download.
        EnvironmentFault: where no address sends the right file, or the disk fails; `folder` is then as it was before.
    """
    if name not in catalog.FILES:
        raise errors.unknown("weight file", name, catalog.FILES)
    file = catalog.FILES[name]
    if not file.urls:
        raise errors.TexjaxError(
            f"{file.filename} has no published checksum and is not downloaded; get it yourself and name it with "
            "features.weights."
        )
    path = Path(folder or catalog.cache_folder()).expanduser() / file.filename
    if path.is_file() and catalog.matches(path, file):
        return path
    failures = []
    for url in file.urls:
        failure = _download(url, path, file, progress, timeout)
        if not failure:
            return path
        failures.append(f"{url}: {failure}")
    raise errors.EnvironmentFault(
        f"{name} could not be downloaded ({'; '.join(failures)}); try again, or get the file on another machine and "
        f"put it into {path.parent}."
    )


def _download(url: str, path: Path, file: catalog.File, progress: Any, timeout: float) -> str:
    """Download to `path` and return "", or return why the address failed. Raises EnvironmentFault if the disk fails."""
    # pooch.retrieve compares whole checksums, and of some files only the first digits are published; the files that it
    # writes cannot be read by other users. So only its downloader is used.
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(progressbar=progress or False, chunk_size=2**18, timeout=timeout)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as scratch:
            part = Path(scratch) / file.filename
            downloader(url, str(part), None)
            if not catalog.matches(part, file):
                return f"it sent {part.stat().st_size:,} bytes with another checksum than {file.checksum}"
            part.replace(path)
            return ""
    except requests.RequestException as error:
        return _failure(error, timeout)
    except OSError as error:
        raise errors.EnvironmentFault(
            f"{file.filename} could not be written to {path.parent} ({error.strerror or error}); free space or change "
            "rights there, or choose another folder with --to or TEXJAX_CACHE."
        ) from error


def _failure(error: Any, timeout: float) -> str:
    """Why a request failed, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError):
        # "404 Client Error: Not Found for url: ..."
        return f"it answered {str(error).partition(' for url')[0]}"
    # requests reports a timeout between two chunks as a connection error.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {timeout:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    return "no connection" if isinstance(error, requests.ConnectionError) else str(error)
