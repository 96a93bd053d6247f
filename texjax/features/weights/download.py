"""Download of the known weight files: verified, whole or not at all, from the mirror where the first address fails."""

import os
import tempfile
from pathlib import Path
from typing import Any

from texjax import errors
from texjax.features.weights import catalog


def fetch(
    name: str, folder: str | os.PathLike[str] | None = None, *, progress: Any = None, timeout: float = 30.0
) -> Path:
    """Download a known file, verified, and return where it lies; one that is already there is kept.

    name: a key of `catalog.FILES`. folder: the destination; texjax's cache by default.
    progress: pooch's interface, an object with `total`, `update(bytes)`, `reset()` and `close()`.
    timeout: seconds without an answer.
    Raises TexjaxError for an unknown name, EnvironmentFault where no address gives the right file; a bad download
    leaves nothing behind.
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
    reasons = []
    for url in file.urls:
        reason = _download(url, path, file, progress, timeout)
        if not reason:
            return path
        reasons.append(f"{url}: {reason}")
    raise errors.EnvironmentFault(
        f"{name} could not be downloaded ({'; '.join(reasons)}); try again, or get the file on another machine and put "
        f"it into {path.parent}."
    )


def _download(url: str, path: Path, file: catalog.File, progress: Any, timeout: float) -> str:
    """Put the file at `path` and return "", or return why this address did not give it. Raises where the disk fails."""
    import pooch
    import requests

    get = pooch.HTTPDownloader(progressbar=progress or False, chunk_size=2**18, timeout=timeout)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as scratch:
            part = Path(scratch) / file.filename
            get(url, str(part), None)
            if not catalog.matches(part, file):
                return f"it sent {part.stat().st_size:,} bytes with another checksum than {file.checksum}"
            part.replace(path)
            return ""
    except requests.HTTPError as error:
        # "404 Client Error: Not Found for url: ..."
        return f"it answered {str(error).partition(' for url')[0]}"
    except requests.Timeout:
        return f"no answer within {timeout:g} s"
    except requests.exceptions.ChunkedEncodingError:
        return "the connection was cut"
    except requests.ConnectionError as error:
        # requests reports a timeout between two chunks as a connection error.
        return f"no answer within {timeout:g} s" if "timed out" in str(error) else "no connection"
    except requests.RequestException as error:
        return str(error)
    except OSError as error:
        raise errors.EnvironmentFault(
            f"{file.filename} could not be written to {path.parent}: {error.strerror or error}; free space or rights "
            "there, or choose another folder with --to or TEXJAX_CACHE."
        ) from error
