"""What the comparing experiments share: variants of a config run on the same textures, measured, laid side by side."""

import argparse
import itertools
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import exemplars
import numpy as np
from bench import timed

from texjax import config as configs
from texjax import features, images, measures

# Where the Gram error of VGG-19 is taken: layers that the papers' texture recipes optimize, and layers between them.
OPTIMIZED, HELD_OUT = ("pool1", "conv3_2"), ("conv1_1", "pool2", "conv3_4")
Values = dict[str, float]


class Variant(NamedTuple):
    """A row of the table: a config and what is changed in it, as on the command line.

    as_long_as: a variant before it, whose time this one gets instead of all its iterations. after: a variant before it,
    whose picture this one starts from.
    """

    name: str
    config: str
    overrides: Sequence[str] = ()
    as_long_as: str = ""
    after: str = ""


def parser(description: str | None, *, size: int, octaves: int, iterations: int) -> argparse.ArgumentParser:
    """The command line that all of them have."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("weights", help="weight file of VGG-19")
    made.add_argument("output", type=Path, help="folder for the pictures and the contact sheet")
    made.add_argument("pictures", type=Path, nargs="*", help="sources; without any, the procedural exemplars")
    made.add_argument("--size", type=int, default=size)
    made.add_argument("--octaves", type=int, default=octaves)
    made.add_argument("--iterations", type=int, default=iterations)
    made.add_argument("--seeds", type=int, default=1)
    return made


def sources(paths: Sequence[Path], size: int) -> dict[str, np.ndarray]:
    """The pictures by name; wider ones than twice `size` are reduced to that."""
    if not paths:
        return {name: draw(size) for name, draw in exemplars.MATERIALS.items()}
    return {path.stem: timed.source(path, size) for path in paths}


def values(extractor: Any, moment: timed.Moment, source: np.ndarray, octaves: int) -> Values:
    """Steps, seconds and the measures; Gram errors as the means of the optimized layers and of the others.

    octaves: of the Gram errors, at most.
    """
    layers, sides = (*OPTIMIZED, *HELD_OUT), (*moment.image.shape[:2], *source.shape[:2])
    octaves = measures.fitting_octaves(extractor, sides, layers, octaves)
    grams = measures.gram_errors(extractor, moment.image, [source], layers, octaves)
    groups = {"Gram, optimized": OPTIMIZED, "Gram, held out": HELD_OUT}
    means = {name: statistics.mean(grams[layer] for layer in group) for name, group in groups.items()}
    cost = {"steps": float(moment.steps), "seconds": moment.seconds}
    return cost | means | measures.measure_all(moment.image, [source])


def line(*cells: Any) -> str:
    """Of a Markdown table."""
    return "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def file_name(*words: Any) -> str:
    return "_".join("".join(c if c.isalnum() else "_" for c in str(word)) for word in words) + ".png"


def sheet(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Rows of pictures of one size; the first of each, the source, is cut or filled up to the size of the others."""
    out = []
    for source, *results in rows:
        height, width = results[0].shape[:2]
        beyond = ((0, max(0, height - len(source))), (0, max(0, width - source.shape[1])), (0, 0))
        out.append(np.hstack([np.pad(source, beyond)[:height, :width], *results]))
    images.save(path, np.vstack(out))


def compare(args: argparse.Namespace, variants: Sequence[Variant]) -> dict[str, Values]:
    """Run every variant on every texture and seed; the means over these by variant.

    Prints the table, and writes the pictures and a contact sheet of the first seed's: a row for each texture, with the
    source and then the variants.
    """
    args.output.mkdir(parents=True, exist_ok=True)
    extractor, textures = features.vgg19(weights=args.weights), sources(args.pictures, args.size)
    common = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    common += [f"--config.max_iter={args.iterations}", "--config.tol=0.0"]
    rows: dict[tuple[str, str, int], Values] = {}
    pictures = {name: [source] for name, source in textures.items()}
    for variant in variants:
        for (texture, source), seed in itertools.product(textures.items(), range(args.seeds)):
            words = [*common, *variant.overrides, f"--config.seed={seed}"]
            if variant.after:
                path = args.output / file_name(texture, variant.after, seed)
                words += [f"--config.init={{'name': 'picture', 'path': '{path}'}}"]
            limit = rows[variant.as_long_as, texture, seed]["seconds"] if variant.as_long_as else math.inf
            *_, last = itertools.takewhile(
                lambda moment, limit=limit: moment.seconds <= limit or moment.steps == 0,
                timed.moments(configs.load(variant.config, words), source),
            )
            found = values(extractor, last, source, args.octaves)
            if not rows:
                print(line("texture", "variant", *found), line(*["---"] * (2 + len(found))), sep="\n")
            print(line(texture, variant.name, *found.values()), flush=True)
            rows[variant.name, texture, seed] = found
            images.save(args.output / file_name(texture, variant.name, seed), last.image)
            pictures[texture] += [last.image] if seed == 0 else []
    sheet(args.output / "sheet.png", list(pictures.values()))
    means = {variant.name: _means([row for key, row in rows.items() if key[0] == variant.name]) for variant in variants}
    for name, found in means.items():
        print(line("mean", name, *found.values()))
    return means


def _means(rows: Sequence[Values]) -> Values:
    return {key: statistics.mean(row[key] for row in rows) for key in rows[0]}
