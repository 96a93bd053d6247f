"""The `texjax weights` command: list, fetch, convert, verify and normalize the weight files of networks.

The parser imports no JAX, so that `--help` answers at once; each action imports what it uses.
"""

import argparse
from pathlib import Path
from typing import Any

import rich.box
import rich.console
import rich.progress
import rich.table

from texjax import errors

console = rich.console.Console(soft_wrap=True, highlight=False)


def add_parser(commands: Any) -> None:
    """Add `weights` with its actions to the subparsers of the `texjax` command."""
    parser = commands.add_parser("weights", help="list, fetch, convert, verify or normalize network weights")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="show the known files, and where each lies or how to get it")

    fetch = actions.add_parser("fetch", help="download a known file and verify its checksum")
    fetch.add_argument("name", help="a name that `texjax weights list` shows, such as vgg19")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="destination (default: texjax's cache folder)")

    convert = actions.add_parser("convert", help="write a weight file as a small .safetensors")
    verify = actions.add_parser("verify", help="show what a weight file holds and whether it is a published one")
    normalize = actions.add_parser("normalize", help="scale every channel to mean activation 1 over pictures")
    for action in (convert, verify, normalize):
        action.add_argument("file", type=Path, help="Keras .h5, PyTorch .pth or .safetensors")
        action.add_argument(
            "--preprocessing", default="auto", help="the input of the network: caffe, torchvision, amdegroot, or auto"
        )
        action.add_argument("--network", default="", help="vgg19 or vgg16; an error if the file holds the other one")
    for action in (convert, normalize):
        action.add_argument("output", type=Path, help="the .safetensors file to write")
    normalize.add_argument("--pictures", nargs="+", required=True, metavar="PATH", help="pictures or folders of them")


def run(args: argparse.Namespace) -> None:
    """Run the action that `args.action` names. Raises TexjaxError and EnvironmentFault."""
    actions = {"list": show, "fetch": fetch, "convert": convert, "verify": verify, "normalize": normalize}
    actions[args.action](args)


def show(_: argparse.Namespace) -> None:
    """Print the known files, one per line, and the folders that are searched."""
    from texjax.features.weights import catalog

    _say(f"{'name':18}{'size':>8}  {'input':13}where")
    for name, file in catalog.FILES.items():
        path = catalog.find(name)
        where = path or (f"texjax weights fetch {name}" if file.urls else "not downloaded: bring your own file")
        size = f"{file.size / 1e6:,.0f} MB" if file.size else "?"
        _say(f"{name:18}{size:>8}  {file.preprocessing:13}{where}")
    folders = [catalog.project_folder(), *catalog.foreign_folders(), catalog.cache_folder()]
    _say("searched folders: " + ", ".join(map(str, folders)))


def fetch(args: argparse.Namespace) -> None:
    """Download one file, with a progress bar on a terminal."""
    from texjax.features.weights import catalog, download

    with Bar(args.name) as bar:
        path = download.fetch(args.name, args.to, progress=bar)
    _say(f"{path} (checksum verified; license: {catalog.FILES[args.name].license})")


def convert(args: argparse.Namespace) -> None:
    """Write canonical weights, with the name and the SHA-256 of the original file in the metadata."""
    from texjax.features.weights import catalog

    weights = _read(args)
    digest = {"source_sha256": catalog.digest(args.file)}
    _write(args.output, weights.layers, digest | weights.metadata)


def verify(args: argparse.Namespace) -> None:
    """Print the layers and the origin of a file. Raises TexjaxError for a published name with another checksum."""
    from texjax.features.weights import catalog

    weights = _read(args)
    table = rich.table.Table("layer", "kernel", "bias", box=rich.box.SIMPLE)
    for name, layer in ((name, layer) for name, layer in weights.layers.items() if name != "mean"):
        table.add_row(name, " x ".join(map(str, layer["kernel"].shape)), str(layer["bias"].size))
    console.print(table)
    for key, value in weights.metadata.items():
        _say(f"{key}: {value}")
    _say(f"sha256: {catalog.digest(args.file)}")
    same_checksum = [name for name, file in catalog.FILES.items() if catalog.matches(args.file, file)]
    same_name = [name for name, file in catalog.FILES.items() if file.filename == args.file.name and file.checksum]
    if same_name and not same_checksum:
        name = same_name[0]
        raise errors.TexjaxError(
            f"{args.file} has the name of {name} but not its checksum {catalog.FILES[name].checksum}; get it again "
            f"with `texjax weights fetch {name}`, or rename it if it is meant to differ."
        )
    owner = f"that of the published {same_checksum[0]}" if same_checksum else "of no published file that texjax knows"
    _say(f"checksum: {owner}")


def normalize(args: argparse.Namespace) -> None:
    """Measure channel means over pictures (average pooling, zero padding) and write the rescaled weights."""
    from texjax import images
    from texjax.features import vgg
    from texjax.features.weights import catalog, normalization, origins

    weights = _read(args)
    if weights.metadata["normalized"] != "none":
        raise errors.TexjaxError(f"{args.file} is normalized already; give the weights as they were trained.")
    blocks = origins.BLOCKS[weights.metadata["network"]]
    extractor = vgg.extractor(weights.layers, blocks, pool="average", padding="same", precision="float32")
    paths = images.sources(args.pictures)
    pictures = rich.progress.track(paths, "measuring", console=console, disable=not console.is_terminal)
    layers = [name for name in weights.layers if name != "mean"]
    means = normalization.channel_means(extractor.apply, extractor.weights, map(images.load, pictures), layers)
    metadata = {"source_sha256": catalog.digest(args.file), **weights.metadata}
    metadata |= {"normalized": "photographs", "pictures": str(len(paths))}
    _write(args.output, normalization.rescale(weights.layers, means), metadata)


def _read(args: argparse.Namespace) -> Any:
    from texjax.features.weights import files

    return files.read(args.file, args.preprocessing, args.network)


def _write(output: Path, layers: Any, metadata: dict[str, str]) -> None:
    from texjax.features.weights import files

    if output.suffix != ".safetensors":
        raise errors.TexjaxError(f"{output} is written as safetensors; give a name that ends in .safetensors.")
    files.write(output, layers, metadata)
    _say(f"{output} ({output.stat().st_size / 1e6:,.1f} MB)")


def _say(text: str) -> None:
    # Brackets in a path are no markup.
    console.print(text, markup=False)


class Bar:
    """A progress bar of rich with the methods that pooch calls; silent where the output is no terminal."""

    def __init__(self, name: str):
        columns = (rich.progress.BarColumn(), rich.progress.DownloadColumn(), rich.progress.TransferSpeedColumn())
        text = rich.progress.TextColumn("{task.description}")
        self._bar = rich.progress.Progress(text, *columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task(name)

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def total(self) -> int | float | None:
        """Size of the download in bytes; pooch sets it when an address answers."""
        return self._bar.tasks[self._task].total

    @total.setter
    def total(self, value: int) -> None:
        self._bar.reset(self._task, total=value)

    def update(self, size: int) -> None:
        """Advance by `size` bytes."""
        self._bar.advance(self._task, size)

    def reset(self) -> None:
        """Start again from zero."""
        self._bar.reset(self._task)

    def close(self) -> None:
        """Do nothing: the end of the `with` block closes the bar."""
