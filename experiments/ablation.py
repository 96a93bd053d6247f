"""What the comparing experiments share: variants of a config run on the same textures, measured, laid side by side."""

import argparse
import itertools
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments import exemplars
from experiments.bench import timed
from texjax import config as configs
from texjax import features, images, measures

# Layers at which the Gram error of VGG-19 is taken: those that texture recipes in papers optimize, and others between.
OPTIMIZED, HELD_OUT = ("pool1", "conv3_2"), ("conv1_1", "pool2", "conv3_4")
OTHER = "other crop"
Values = dict[str, float]


class Variant(NamedTuple):
    """A row of the table: a config and what is changed in it, as on the command line.

    as_long_as: the name of an earlier variant. This one then gets the time of that one instead of all its iterations.
    draw: (source [h, w, 3], (height, width), seed) -> picture, for methods without a config, which have none.
    """

    name: str
    config: str = ""
    overrides: Sequence[str] = ()
    as_long_as: str = ""
    draw: Callable[[np.ndarray, tuple[int, int], int], np.ndarray] | None = None


def parser(description: str | None, *, size: int, octaves: int, iterations: int) -> argparse.ArgumentParser:
    """Return the parser of the command line that all comparing experiments have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="weight file of VGG-19")
    parser.add_argument("output", type=Path, help="folder for the pictures and the contact sheet")
    parser.add_argument("pictures", type=Path, nargs="*", help="sources; without any, the procedural exemplars")
    parser.add_argument("--size", type=int, default=size)
    parser.add_argument("--octaves", type=int, default=octaves)
    parser.add_argument("--iterations", type=int, default=iterations)
    parser.add_argument("--seeds", type=int, default=1)
    return parser


def sources(paths: Sequence[Path], size: int) -> dict[str, np.ndarray]:
    """Return the pictures by name, reduced to a width of twice `size` where they are wider."""
    if not paths:
        return {name: draw(size) for name, draw in exemplars.MATERIALS.items()}
    return {path.stem: timed.source(path, size) for path in paths}


def values(extractor: Any, moment: timed.Moment, source: np.ndarray, octaves: int) -> Values:
    """Return steps, seconds and the measures, with Gram errors as means of the optimized and of the other layers.

    octaves: largest number of octaves of the Gram errors.
    """
    layers, sides = (*OPTIMIZED, *HELD_OUT), (*moment.image.shape[:2], *source.shape[:2])
    octaves = measures.fitting_octaves(extractor, sides, layers=layers, octaves=octaves)
    grams = measures.gram_errors(extractor, moment.image, [source], layers=layers, octaves=octaves)
    groups = {"Gram, optimized": OPTIMIZED, "Gram, held out": HELD_OUT}
    means = {name: statistics.mean(grams[layer] for layer in group) for name, group in groups.items()}
    cost = {"steps": float(moment.steps), "seconds": moment.seconds}
    return cost | means | measures.measure_all(moment.image, [source])


def line(*cells: Any) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def file_name(*words: Any) -> str:
    """Return the name of a PNG file, with everything but letters and digits replaced."""
    return "_".join("".join(c if c.isalnum() else "_" for c in str(word)) for word in words) + ".png"


def sheet(path: Path, rows: Sequence[Sequence[np.ndarray]], shape: tuple[int, int]) -> None:
    """Save rows of pictures as one picture; each is cut, or filled up with black, to `shape`, (height, width)."""
    images.save(path, np.vstack([np.hstack([_fitted(picture, *shape) for picture in row]) for row in rows]))


def _fitted(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = ((0, max(0, height - picture.shape[0])), (0, max(0, width - picture.shape[1])), (0, 0))
    return np.pad(picture, missing)[:height, :width]


def compare(
    args: argparse.Namespace,
    variants: Sequence[Variant],
    textures: Mapping[str, np.ndarray] | None = None,
    others: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Values]:
    """Run every variant on every texture and seed, and return the means over these by variant.

    Prints the table, and writes the pictures and a contact sheet of those of the first seed: a row for each texture,
    with the source and then the variants.

    Args:
        args: of `parser`.
        variants: the rows for each texture.
        textures: name -> source [h, w, 3]; those of `args` if left out.
        others: name -> another picture of the texture, which is measured as the variant "other crop": what a perfect
            result would have.
    """
    args.output.mkdir(parents=True, exist_ok=True)
    extractor = features.vgg19(weights=args.weights)
    textures = sources(args.pictures, args.size) if textures is None else textures
    common = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    common += ["--config.tol=0.0"] + ([f"--config.max_iter={args.iterations}"] if args.iterations else [])
    rows: dict[tuple[str, str, int], Values] = {}
    pictures = {name: [source] for name, source in textures.items()}
    crops = [Variant(OTHER)] if others else []
    for variant in [*crops, *variants]:
        for (texture, source), seed in itertools.product(textures.items(), range(args.seeds)):
            if variant.name == OTHER and others:
                last = timed.Moment(0.0, 0, others[texture])
            elif variant.draw:
                last = _drawn(variant.draw, source, args.size, seed)
            else:
                config = configs.load(variant.config, [*common, *variant.overrides, f"--config.seed={seed}"])
                limit = rows[variant.as_long_as, texture, seed]["seconds"] if variant.as_long_as else math.inf
                last = _last_within(limit, config, source)
            row = values(extractor, last, source, args.octaves)
            if not rows:
                print(line("texture", "variant", *row), line(*["---"] * (2 + len(row))), sep="\n")
            print(line(texture, variant.name, *row.values()), flush=True)
            rows[variant.name, texture, seed] = row
            images.save(args.output / file_name(texture, variant.name, seed), last.image)
            pictures[texture] += [last.image] if seed == 0 else []
    sheet(args.output / "sheet.png", list(pictures.values()), (args.size, args.size))
    names = dict.fromkeys(name for name, _, _ in rows)
    means = {name: _means([row for key, row in rows.items() if key[0] == name]) for name in names}
    for name, mean in means.items():
        print(line("mean", name, *mean.values()))
    return means


def _drawn(draw: Callable[..., np.ndarray], source: np.ndarray, size: int, seed: int) -> timed.Moment:
    """The picture of a method without steps."""
    begin = time.perf_counter()
    image = draw(source, (size, size), seed)
    return timed.Moment(time.perf_counter() - begin, 0, np.clip(image, 0, 1))


def _last_within(limit: float, config: configs.Config, source: np.ndarray) -> timed.Moment:
    """Run for at most `limit` seconds, and return the last moment within them, or the start."""
    *_, last = itertools.takewhile(
        lambda moment: moment.seconds <= limit or moment.steps == 0, timed.moments(config, source)
    )
    return last


def _means(rows: Sequence[Values]) -> Values:
    return {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
