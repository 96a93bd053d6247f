"""Transfers to photographs by three methods, analogies, and patches' textures, with the compact network, side by side.

    python experiments/compare_transfer.py OUT_DIR transfer PHOTO STYLE... [--size 256] [--method CONFIG...]
    python experiments/compare_transfer.py OUT_DIR analogy A A_PRIME B [--size 256]
    python experiments/compare_transfer.py OUT_DIR synthesize SOURCE... [--size 256] [--method CONFIG...]

The contact sheet in OUT_DIR has, for a transfer, a row for each style, with the photograph, the style and what each
config makes of them, by default `cnnmrf_transfer`, `gatys_style` and `multiscale_style`; for an analogy, A, A', B and
the result; and for a synthesis a row for each source, with what each config makes of it, by default `cnnmrf`. `size` is
the longer side of the results. OUT_DIR also gets a run directory for each result. The script prints a Markdown table of
times, which include compiling.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from experiments import ablation
from texjax import config as configs
from texjax import images, pyramid
from texjax.runs import records, run

METHODS = {
    "transfer": ("cnnmrf_transfer", "gatys_style", "multiscale_style"),
    "analogy": ("analogies",),
    "synthesize": ("cnnmrf",),
}
Groups = Mapping[str, Sequence[Path]]  # the files of each group of pictures, as `run.synthesize` takes them


def result(args: argparse.Namespace, method: str, size: tuple[int, int], groups: Groups) -> np.ndarray:
    """Run a method, print its row of the table, and return its picture [h, w, 3]."""
    begin = time.perf_counter()
    config = configs.load(f"{method}:network=compact", [f"--config.size={size}", *args.set])
    stems = [path.stem for path in (*groups.get("content", ()), *groups["sources"])]
    directory = args.output / "-".join([args.command, method, *stems])
    end = run.synthesize(config, groups, lambda parts: records.exact(directory))
    print(ablation.line(directory.name, end.steps, end.loss, time.perf_counter() - begin), flush=True)
    return images.load(end.paths[0])


def stretched(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Return the picture of a file, stretched to (width, height)."""
    return np.asarray(pyramid.stretch(jnp.asarray(images.load(path)), (size[1], size[0])))


def cases(command: str, pictures: Sequence[Path]) -> list[tuple[Sequence[Path], Groups]]:
    """Return, for each row of the contact sheet, the pictures before the results, and the groups of pictures."""
    first, *others = pictures
    if command == "transfer":
        return [([first, style], {"sources": [style], "content": [first]}) for style in others]
    if command == "analogy":
        return [(pictures, {"sources": others[:1], "content": others[1:], "analogy": pictures})]
    return [([source], {"sources": [source]}) for source in pictures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("command", choices=METHODS)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--method", nargs="+")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="keys of the configs")
    args = parser.parse_intermixed_args()
    args.set = [f"--config.{word}" for word in args.set]
    args.output.mkdir(parents=True, exist_ok=True)
    size = (args.size, args.size)
    if args.command != "synthesize":
        height, width = images.load(args.pictures[0 if args.command == "transfer" else -1]).shape[:2]
        size = round(args.size * width / max(width, height)), round(args.size * height / max(width, height))
    print(ablation.line("run", "steps", "loss", "seconds"), ablation.line(*["---"] * 4), sep="\n")
    rows = []
    for shown, groups in cases(args.command, args.pictures):
        results = [result(args, method, size, groups) for method in args.method or METHODS[args.command]]
        rows.append([*(stretched(path, size) for path in shown), *results])
    ablation.sheet(args.output / f"{args.command}-{args.pictures[0].stem}.png", rows, (size[1], size[0]))


if __name__ == "__main__":
    main()
