"""Transfers to photographs by three methods, analogies, and patches' textures, with the compact network, side by side.

    python experiments/compare_transfer.py OUT_DIR transfer PHOTO STYLE... [--size 256] [--method CONFIG...]
    python experiments/compare_transfer.py OUT_DIR analogy A A_PRIME B [--size 256]
    python experiments/compare_transfer.py OUT_DIR synthesize SOURCE... [--size 256] [--method CONFIG...]

Transfer: a row for each style, with the photograph, the style and what each config makes of them, by default
`cnnmrf_transfer`, `gatys_style` and `multiscale_style`; analogy: A, A', B and the result; synthesize: a row for each
source, with what each config makes of it, by default `cnnmrf`. `size` is the longer side of results. Prints a Markdown
table of times, compiling included; OUT_DIR gets a contact sheet, and a run directory for each result.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ablation
import jax.numpy as jnp
import numpy as np

from texjax import config as configs
from texjax import images, pyramid
from texjax.runs import records, run

METHODS = {
    "transfer": ("cnnmrf_transfer", "gatys_style", "multiscale_style"),
    "analogy": ("analogies",),
    "synthesize": ("cnnmrf",),
}
Groups = Mapping[str, Sequence[Path]]


def result(args: argparse.Namespace, method: str, size: tuple[int, int], sources: Sequence[Path], others: Groups):
    """The picture [h, w, 3]; a row of the table."""
    begin, config = time.perf_counter(), configs.load(f"{method}:network=compact", [f"--config.size={size}", *args.set])
    where = args.output / "-".join(
        [args.command, method, *(path.stem for path in (*others.get("content", ()), *sources))]
    )
    found = run.synthesize(config, sources, lambda made: records.exact(where), others=others)
    print(ablation.line(where.name, found.steps, found.loss, time.perf_counter() - begin), flush=True)
    return images.load(found.paths[0])


def shown(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The picture of a file, stretched to (width, height)."""
    return np.asarray(pyramid.stretched(jnp.asarray(images.load(path)), (size[1], size[0])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("command", choices=METHODS)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--method", nargs="+")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="of the configs")
    args = parser.parse_intermixed_args()
    args.set = [f"--config.{word}" for word in args.set]
    args.output.mkdir(parents=True, exist_ok=True)
    first, *rest = args.pictures
    height, width = images.load(rest[-1] if args.command == "analogy" else first).shape[:2]
    size = round(args.size * width / max(width, height)), round(args.size * height / max(width, height))
    cases: Sequence[tuple[Sequence[Path], Sequence[Path], Groups]]  # what is shown, the sources, and the others
    if args.command == "transfer":
        cases = [([first, style], [style], {"content": [first]}) for style in rest]
    elif args.command == "analogy":
        cases = [(args.pictures, rest[:1], {"content": rest[1:], "analogy": args.pictures})]
    else:
        cases, size = [([source], [source], {}) for source in args.pictures], (args.size, args.size)
    print(ablation.line("run", "steps", "loss", "seconds"), ablation.line(*["---"] * 4), sep="\n")
    rows = []
    for pictures, sources, others in cases:
        results = [result(args, method, size, sources, others) for method in args.method or METHODS[args.command]]
        rows.append([*(shown(path, size) for path in pictures), *results])
    ablation.sheet(args.output / f"{args.command}-{first.stem}.png", rows)


if __name__ == "__main__":
    main()
