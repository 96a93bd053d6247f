"""The known weight files and where they are looked for.

Looking never downloads: a run that lacks its weights ends with one sentence, and `texjax weights fetch` downloads
(download.py). A
file in a folder of another program (Keras, PyTorch) is taken only if its checksum is the published one.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

from texjax import config, errors

KERAS = "weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG_LICENSE = "CC BY 4.0 (Simonyan & Zisserman)"


class File(NamedTuple):
    """A published weight file.

    urls: the address and its mirrors, tried in this order; none where it is only accepted when the user has it.
    size: bytes, 0 where it is not known.
    checksum: "md5:..." or "sha256:..."; only the beginning where no more is published, "" where nothing is.
    """

    network: str
    filename: str
    preprocessing: str
    license: str
    checksum: str = ""
    size: int = 0
    urls: tuple[str, ...] = ()
    normalized: str = "none"


def _keras(network: str, size: int, md5: str) -> File:
    name = f"{network}_{KERAS}"
    urls = (
        f"https://storage.googleapis.com/tensorflow/keras-applications/{network}/{name}",
        f"https://github.com/fchollet/deep-learning-models/releases/download/v0.1/{name}",
    )
    return File(network, name, "caffe", VGG_LICENSE, f"md5:{md5}", size, urls)


def _torchvision(network: str, name: str, size: int, sha256: str, preprocessing: str, license: str) -> File:
    url = f"https://download.pytorch.org/models/{name}"
    return File(network, name, preprocessing, license, f"sha256:{sha256}", size, (url,))


def _johnson(network: str, prefix: str) -> File:
    name = f"{network}-{prefix}.pth"
    urls = (
        f"https://web.eecs.umich.edu/~justincj/models/{name}",
        f"https://s3-us-west-2.amazonaws.com/jcjohns-models/{name}",
    )
    return File(network, name, "caffe", VGG_LICENSE, f"sha256:{prefix}", 0, urls)


# The first of each network is the default: convolutions only, the weights that the papers used.
FILES = {
    "vgg19": _keras("vgg19", 80_134_624, "253f8cb515780f3b799900260a226db6"),
    "vgg16": _keras("vgg16", 58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "vgg19-torchvision": _torchvision(
        "vgg19",
        "vgg19-dcbb9e9d.pth",
        574_673_361,
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        "torchvision",
        "BSD-3-Clause",
    ),
    "vgg16-torchvision": _torchvision(
        "vgg16",
        "vgg16-397923af.pth",
        553_433_881,
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        "torchvision",
        "BSD-3-Clause",
    ),
    "vgg16-amdegroot": _torchvision(
        "vgg16", "vgg16_features-amdegroot-88682ab5.pth", 0, "88682ab5", "amdegroot", VGG_LICENSE
    ),
    "vgg19-caffe": _johnson("vgg19", "d01eb7cb"),
    "vgg16-caffe": _johnson("vgg16", "00b39a1b"),
    "vgg19-timm": File(
        "vgg19",
        "vgg19.tv_in1k.safetensors",
        "torchvision",
        "BSD-3-Clause",
        "sha256:11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669",
        0,
        ("https://huggingface.co/timm/vgg19.tv_in1k/resolve/main/model.safetensors",),
    ),
    # Gatys' own file publishes no checksum: only taken from the user.
    "vgg19-gatys": File("vgg19", "vgg_conv.pth", "caffe", VGG_LICENSE, normalized="photographs"),
}


def project_folder() -> Path:
    """The project's `weights/`: inside the package when installed from a wheel, beside it in a clone."""
    return config.shipped("weights")


def cache_folder() -> Path:
    """Where downloads lie: TEXJAX_CACHE, or the user's cache folder."""
    return Path(os.environ.get("TEXJAX_CACHE") or platformdirs.user_cache_dir("texjax")) / "weights"


def foreign_folders() -> list[Path]:
    """Where Keras and PyTorch keep the same files."""
    keras = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    torch = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch").expanduser()
    return [keras / "models", torch / "hub" / "checkpoints"]


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def matches(path: Path, file: File) -> bool:
    """Is it that file, by the published checksum?"""
    algorithm, _, expected = file.checksum.partition(":")
    return bool(expected) and digest(path, algorithm).startswith(expected)


def identify(path: Path) -> File | None:
    """The known file that this is, by its name or by its checksum; None for any other."""
    for file in FILES.values():
        if path.name.startswith(Path(file.filename).stem):
            return file
    sha256 = digest(path)
    known = (f for f in FILES.values() if f.checksum.startswith("sha256:"))
    return next((f for f in known if sha256.startswith(f.checksum[7:])), None)


def locate(network: str, explicit: str | os.PathLike[str] | None = None) -> Path:
    """The weight file of a network.

    explicit: a file, or a folder in which a known file name is looked for; it wins. Otherwise the project's
        `weights/`, the folders of Keras and PyTorch (checksums verified), and texjax's own cache.
    Raises TexjaxError where there is none, saying how to get it. Never downloads.
    """
    if network not in {file.network for file in FILES.values()}:
        raise errors.unknown("network", network, sorted({file.network for file in FILES.values()}))
    if explicit:
        return _explicit(network, Path(explicit).expanduser())
    path = next(candidates(network), None)
    if path is None:
        raise errors.TexjaxError(_missing(network))
    return path


def candidates(network: str) -> Iterator[Path]:
    """The usable files of a network, best first."""
    yield from _known(network, project_folder())
    for folder in foreign_folders():
        for file in FILES.values():
            path = folder / file.filename
            if file.network == network and path.is_file() and matches(path, file):
                yield path
    yield from _known(network, cache_folder())


def find(name: str) -> Path | None:
    """Where a known file already lies, by the rules of `locate`; None where it does not."""
    file = FILES[name]
    places = [folder / file.filename for folder in (project_folder(), cache_folder())]
    foreign = [folder / file.filename for folder in foreign_folders()]
    found = [path for path in places if path.is_file()]
    return next(iter(found), None) or next((p for p in foreign if p.is_file() and matches(p, file)), None)


def filenames(network: str) -> list[str]:
    """The names under which a network's weights are looked for; first a file converted by texjax."""
    return [f"{network}.safetensors", *(f.filename for f in FILES.values() if f.network == network)]


def _known(network: str, folder: Path) -> list[Path]:
    return [folder / name for name in filenames(network) if (folder / name).is_file()]


def _explicit(network: str, path: Path) -> Path:
    if path.is_dir():
        found = _known(network, path)
        if not found:
            raise errors.TexjaxError(
                f"the folder {path} holds no known weights of {network}; name the file itself, or give it one of these "
                f"names: {', '.join(filenames(network))}."
            )
        return found[0]
    if not path.is_file():
        raise errors.TexjaxError(
            f"the weight file {path} does not exist; give an existing file or folder, or leave features.weights empty "
            "to look where `texjax weights list` says."
        )
    return path


def _missing(network: str) -> str:
    file = FILES[network]
    return (
        f"no weights of {network} were found; run `texjax weights fetch {network}`, or, without network here, get "
        f"{file.urls[0]} ({file.size:,} bytes, {file.checksum.replace(':', ' ')}) elsewhere and put it into "
        f"{cache_folder()}, or name a file with features.weights; config texture needs no download."
    )
