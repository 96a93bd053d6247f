"""The known weight files, and the folders in which they are searched.

The search never downloads: a run without its weights ends with a one-sentence error that names `texjax weights fetch`,
the command that downloads. A file in a folder of Keras or PyTorch is used only if its checksum is the published one.
"""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

from texjax import errors, shipped

KERAS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG_LICENSE = "CC BY 4.0 (Simonyan & Zisserman)"


class File(NamedTuple):
    """A published weight file.

    network: "vgg19" or "vgg16".
    preprocessing: the input that its network expects, a key of `origins.PREPROCESSING`.
    checksum: "md5:..." or "sha256:...", with only the first digits where no more are published; "" where none are.
    size: bytes, 0 where it is unknown.
    urls: the address and its mirrors in the order in which to try them; none for a file that users must bring.
    normalized: "photographs" where the channels have mean activation 1 over photographs, else "none".
    """

    network: str
    filename: str
    preprocessing: str
    license: str
    checksum: str = ""
    size: int = 0
    urls: tuple[str, ...] = ()
    normalized: str = "none"


def _keras_file(network: str, size: int, md5: str) -> File:
    name = f"{network}_{KERAS}"
    urls = (
        f"https://storage.googleapis.com/tensorflow/keras-applications/{network}/{name}",
        f"https://github.com/fchollet/deep-learning-models/releases/download/v0.1/{name}",
    )
    return File(network, name, "caffe", VGG_LICENSE, f"md5:{md5}", size, urls)


def _torchvision_file(network: str, name: str, size: int, sha256: str, preprocessing: str, license: str) -> File:
    url = f"https://download.pytorch.org/models/{name}"
    return File(network, name, preprocessing, license, f"sha256:{sha256}", size, (url,))


def _johnson_file(network: str, prefix: str) -> File:
    name = f"{network}-{prefix}.pth"
    urls = (
        f"https://web.eecs.umich.edu/~justincj/models/{name}",
        f"https://s3-us-west-2.amazonaws.com/jcjohns-models/{name}",
    )
    return File(network, name, "caffe", VGG_LICENSE, f"sha256:{prefix}", 0, urls)


# The first file of each network is the default: it holds the convolutions alone, with the weights that the papers used.
FILES = {
    "vgg19": _keras_file("vgg19", 80_134_624, "253f8cb515780f3b799900260a226db6"),
    "vgg16": _keras_file("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "vgg19-torchvision": _torchvision_file(
        "vgg19",
        "vgg19-dcbb9e9d.pth",
        574_673_361,
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "torchvision",
        "BSD-3-Clause",
    ),
    "vgg16-torchvision": _torchvision_file(
        "vgg16",
        "vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "torchvision",
        "BSD-3-Clause",
    ),
    "vgg16-amdegroot": _torchvision_file(
        "vgg16", "vgg16_features-amdegroot-88682ab5.pth", 0, "88682ab5", "amdegroot", VGG_LICENSE
    ),
    "vgg19-caffe": _johnson_file("vgg19", "d01eb7cb"),
    "vgg16-caffe": _johnson_file("vgg16", "00b39a1b"),
    "vgg19-timm": File(
        "vgg19",
        "vgg19.tv_in1k.safetensors",
        "torchvision",
        "BSD-3-Clause",
        "sha256:11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669",
        0,
        ("https://huggingface.co/timm/vgg19.tv_in1k/resolve/main/model.safetensors",),
    ),
    # No checksum of Gatys' own file is published, so a download could not be verified.
    "vgg19-gatys": File("vgg19", "vgg_conv.pth", "caffe", VGG_LICENSE, normalized="photographs"),
}


# SHA-256 of the files that ship with texjax.
SHIPPED = {
    "compact.safetensors": "31d65cf94ff05af122ac79343721abd393abda58b5d3ffa62e6f39dabcca4e25",
    "vgg19_channel_means.safetensors": "1a97e8b04782e3e05dc1da315ca9a5dfba50bd789eaf3bb73ceff53aa97f222b",
}


def project_folder() -> Path:
    """Return the folder `weights/` that ships with texjax: inside the installed package, or beside it in a clone."""
    return shipped.folder("weights")


def cache_folder() -> Path:
    """Return the folder of downloads: `weights` in TEXJAX_CACHE, or in the user's cache folder of texjax."""
    return Path(os.environ.get("TEXJAX_CACHE") or platformdirs.user_cache_dir("texjax")) / "weights"


def foreign_folders() -> list[Path]:
    """Return the folders in which Keras and PyTorch store the same files."""
    keras = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    torch = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch").expanduser()
    return [keras / "models", torch / "hub" / "checkpoints"]


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal checksum of a file, which is read again only if it has changed."""
    stat = path.stat()
    return _digest(path, algorithm, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, algorithm: str, _modified: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def matches(path: Path, file: File) -> bool:
    """Return whether the checksum of the file at `path` is the published one, or begins with its published digits."""
    algorithm, _, expected = file.checksum.partition(":")
    return bool(expected) and digest(path, algorithm).startswith(expected)


def check(path: Path) -> None:
    """Raise TexjaxError for a shipped or published file, by name and size, that has another checksum."""
    sha256 = SHIPPED.get(path.name) if path.parent == project_folder() else None
    if sha256 and digest(path) != sha256:
        raise errors.TexjaxError("the file is not the one that ships with texjax; install texjax again.")
    for file in FILES.values():
        same = path.name == file.filename and file.checksum and path.stat().st_size == file.size
        if same and not matches(path, file):
            raise errors.TexjaxError(
                "the file is damaged, as its checksum is not the published one; remove it and get it again, for "
                "example with `texjax weights fetch`."
            )


def identify(path: Path) -> File | None:
    """Return the published file with the name, or else the SHA-256, of the file at `path`; None if there is none."""
    for file in FILES.values():
        if path.name.startswith(Path(file.filename).stem):
            return file
    checksum = f"sha256:{digest(path)}"
    return next((file for file in FILES.values() if file.checksum and checksum.startswith(file.checksum)), None)


def locate(network: str, explicit: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a network's weight file. Never downloads.

    Args:
        network: "vgg19" or "vgg16".
        explicit: a file, or a folder that holds a file with one of `filenames`. Without it these are searched in turn:
            the project's `weights/`, the folders of Keras and PyTorch (checksums verified), and texjax's own cache.

    Raises:
        TexjaxError: where no file is found; the message says how to get one.
    """
    networks = sorted({file.network for file in FILES.values()})
    if network not in networks:
        raise errors.unknown("network", network, networks)
    if explicit:
        return _explicit(network, Path(explicit).expanduser())
    path = next(candidates(network), None)
    if path is None:
        raise errors.TexjaxError(_missing(network))
    return path


def candidates(network: str) -> Iterator[Path]:
    """Yield the usable weight files of a network, in the order in which `locate` prefers them."""
    yield from _named_files(network, project_folder())
    for folder in foreign_folders():
        for file in FILES.values():
            path = folder / file.filename
            if file.network == network and path.is_file() and matches(path, file):
                yield path
    yield from _named_files(network, cache_folder())


def find(name: str) -> Path | None:
    """Return the path of a known file (a key of `FILES`) in a folder that `locate` searches; None if it is in none."""
    file = FILES[name]
    for folder in (project_folder(), cache_folder()):
        if (folder / file.filename).is_file():
            return folder / file.filename
    paths = (folder / file.filename for folder in foreign_folders())
    return next((path for path in paths if path.is_file() and matches(path, file)), None)


def filenames(network: str) -> list[str]:
    """Return the file names under which a network's weights are searched; that of a converted file comes first."""
    return [f"{network}.safetensors", *(f.filename for f in FILES.values() if f.network == network)]


def _named_files(network: str, folder: Path) -> list[Path]:
    """The files of a folder that have one of the network's file names."""
    return [folder / name for name in filenames(network) if (folder / name).is_file()]


def _explicit(network: str, path: Path) -> Path:
    """The file that the user named, or the preferred file of the folder that the user named."""
    if path.is_dir():
        paths = _named_files(network, path)
        if not paths:
            raise errors.TexjaxError(
                f"the folder {path} holds no known weights of {network}; name the file itself, or give it one of these "
                f"names: {', '.join(filenames(network))}."
            )
        return paths[0]
    if not path.is_file():
        raise errors.TexjaxError(
            f"the weight file {path} does not exist; give an existing file or folder, or leave features.weights empty "
            "to search the folders that `texjax weights list` shows."
        )
    return path


def _missing(network: str) -> str:
    """The message that says how to get the network's weights."""
    file = FILES[network]
    return (
        f"no weights of {network} were found; run `texjax weights fetch {network}`, or, if this machine is offline, "
        f"download {file.urls[0]} ({file.size:,} bytes, {file.checksum.replace(':', ' ')}) elsewhere and put it into "
        f"{cache_folder()}, or name a file with features.weights; the config texture needs no download."
    )
