"""The `texjax stylize` command: photographs and videos through a trained network, in one pass each."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from texjax import errors, validate

Restyle = Callable[[Any], Any]  # photograph [h, w, 3] -> its result [h, w, 3]


def add_parser(commands: Any) -> None:
    """Add `stylize` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "stylize",
        help="restyle photographs and videos by a network that `texjax train` made",
        description="Restyle photographs and videos by a network that `texjax train` made. A photograph becomes a PNG "
        "file, and a video, which ffmpeg reads and writes frame by frame, an MP4 file of the same name. Transparent "
        "pictures lie on white.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("network", type=Path, metavar="NETWORK", help="file of the network")
    add("photos", nargs="+", metavar="PHOTO", help="pictures, videos, or folders of these")
    add("--output-dir", type=Path, default=Path("stylized"), metavar="DIR", help="folder of the results (%(default)s)")
    add("--max-size", type=int, metavar="PX", help="longer side of the results, at most (that of the photograph)")
    add("--mix", metavar="X,X", help="how much of each style: one number for each that the network has learned")


def run(args: argparse.Namespace) -> None:
    """Restyle every photograph and video, and print the path of each result. Raises TexjaxError."""
    from texjax import images
    from texjax.images import videos
    from texjax.runs import programs

    if args.max_size is not None:
        validate.whole("--max-size", args.max_size, 1)
    paths = images.sources(args.photos, (*images.EXTENSIONS, *videos.EXTENSIONS))
    results = outputs(paths, args.output_dir, videos.EXTENSIONS)
    programs.keep()
    with programs.device_errors():
        restyle = restyler(args.network, args.mix)
        args.output_dir.mkdir(parents=True, exist_ok=True)
        for path, result in results.items():
            if result.suffix == ".mp4":
                header = videos.header(path)
                frames = (restyle(reduced(frame, args.max_size)) for frame in videos.frames(path, header))
                videos.save(result, frames, header.rate, path)
            else:
                images.save(result, restyle(reduced(images.load(path), args.max_size)))
            print(result, flush=True)


def outputs(paths: Sequence[Path], folder: Path, videos: Sequence[str]) -> dict[Path, Path]:
    """Return the file of each result. videos: the suffixes of these.

    Raises TexjaxError where two of them would be one file, or a result would replace a photograph.
    """
    results = {path: folder / f"{path.stem}{'.mp4' if path.suffix.lower() in videos else '.png'}" for path in paths}
    origins: dict[Path, Path] = {}
    for path, result in results.items():
        if result in origins:
            raise errors.TexjaxError(f"{origins[result]} and {path} would both become {result}; rename one of them.")
        origins[result] = path
    given = {path.resolve() for path in paths}
    for path, result in results.items():
        if result.resolve() in given:
            raise errors.TexjaxError(f"the result of {path} would replace {result}; give another --output-dir.")
    return results


def restyler(path: Path, mix: str | None) -> Restyle:
    """Return the function that restyles a photograph by the network in a file.

    Raises TexjaxError for a file that is no network, for one that restyles no photographs, and for a mix that does not
    suit its styles.
    """
    import jax.numpy as jnp
    import numpy as np

    from texjax.cli import transfer
    from texjax.images import colors
    from texjax.runs import generate, networks
    from texjax.synthesis import restyling

    network = networks.read(path)
    if network.generator.draw is not None:
        raise errors.TexjaxError(f"{path}: this network makes textures, and restyles nothing; use texjax generate.")
    code = generate.code_of(network, transfer.numbers("--mix", mix, "style") if mix else ())

    def restyle(photo: Any) -> Any:
        if network.channels == 1:
            photo = np.asarray(colors.luminance(jnp.asarray(photo)))[..., None]
        image = restyling.restyle(network.generator, network.handling, network.weights, code, photo)
        return np.broadcast_to(image, (*image.shape[:2], 3))

    return restyle


def reduced(photo: Any, longest: int | None) -> Any:
    """Return a photograph [h, w, 3] whose longer side is at most so many pixels."""
    from texjax import images

    factor = (longest or max(photo.shape)) / max(photo.shape[:2])
    return images.resize(photo, scale=factor) if factor < 1 else photo
