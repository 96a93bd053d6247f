"""VGG-19, the compact network and random filters: what each makes of the same textures, and how long it takes.

    python experiments/compare_features.py VGG19_WEIGHTS OUT_DIR [PICTURE...] [--size 256] [--octaves 3]
        [--iterations 200] [--compact FILE]

Every network runs its shipped config (VGG-19's with circular padding and the others' quiet start), for `iterations`
steps; "VGG-19, equal time" is its picture after the seconds that the compact network took. Sources wider than twice
`size` are reduced to that; without pictures the procedural exemplars are used. Prints a Markdown table of
`texjax.measures`, the Gram error being VGG-19's at layers that were optimized (pool1, conv3_2) and that were not;
OUT_DIR gets the pictures and a contact sheet.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import exemplars
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from texjax import config as configs
from texjax import features, images, measures, run, synthesis

OPTIMIZED, HELD_OUT = ("pool1", "conv3_2"), ("conv1_1", "pool2", "conv3_4")
Run = list[tuple[float, int, np.ndarray]]


def synthesized(spec: str, overrides: list[str], source: np.ndarray) -> Run:
    """(seconds since the start, step, image) of every iterate; compiling does not count."""
    config = configs.load(spec, overrides)
    with config.unlocked():
        config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    made = run.parts(config)
    target = run.targets(made, [jnp.asarray(source)])
    stack = run.start(config, [jnp.asarray(source)])
    out, seconds = [], 0.0
    args = (made.extractor.weights, target)
    options = dict(max_iter=config.max_iter, save_every=config.save_every)
    for now in synthesis.iterate(made.advance, made.minimizer, stack, args, **options):
        seconds += now.seconds if now.step else 0.0
        out.append((seconds, now.step, np.clip(now.images[0, 0], 0, 1)))
    return out


def row(extractor: Any, result: np.ndarray, source: np.ndarray, octaves: int) -> dict[str, float]:
    """The measures; Gram errors as the means of the optimized layers and of the others."""
    grams = measures.gram_errors(extractor, result, [source], (*OPTIMIZED, *HELD_OUT), octaves)
    groups = {"optimized": OPTIMIZED, "held out": HELD_OUT}
    out = {f"Gram, {name}": statistics.mean(grams[layer] for layer in group) for name, group in groups.items()}
    return out | measures.measure_all(result, [source])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("output", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--compact", default="", help="another weight file for the compact network")
    args = parser.parse_args()
    sources = {path.stem: images.load(path) for path in args.pictures}
    wide = {path.stem: path for path in args.pictures if sources[path.stem].shape[1] > 2 * args.size}
    sources |= {name: images.load(path, width=2 * args.size) for name, path in wide.items()}
    sources = sources or {name: draw(args.size) for name, draw in exemplars.MATERIALS.items()}
    common = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    common += [f"--config.max_iter={args.iterations}", "--config.tol=0.0"]
    circular = ["--config.features.padding=circular", "--config.pyramid.padding=circular"]
    runs = {
        "VGG-19": ("snelgrove", [f"--config.features.weights={args.weights}", *circular]),
        "compact": ("compact", [f"--config.features.weights={args.compact}"]),
        "random": ("random", []),
    }
    extractor, table, sheet = features.vgg19(weights=args.weights), {}, []
    args.output.mkdir(parents=True, exist_ok=True)
    for picture, source in sources.items():
        found = {name: synthesized(spec, [*common, *rest], source) for name, (spec, rest) in runs.items()}
        limit = found["compact"][-1][0]
        chosen = {name: iterates[-1] for name, iterates in found.items()}
        chosen["VGG-19, equal time"] = min(found["VGG-19"], key=lambda iterate: abs(iterate[0] - limit))
        for name, (seconds, steps, image) in chosen.items():
            values = {"steps": float(steps), "seconds": seconds, **row(extractor, image, source, args.octaves)}
            table.setdefault(name, []).append(values)
            images.save(args.output / f"{picture}_{name.replace(', ', '_').replace(' ', '_')}.png", image)
            if len(table) == 1 and len(table[name]) == 1:
                print("| picture | features |", " | ".join(values), "|\n|" + "---|" * (2 + len(values)))
            print(f"| {picture} | {name} |", " | ".join(f"{v:.3g}" for v in values.values()), "|", flush=True)
        sheet.append(np.hstack([source[: args.size, : args.size], *(image for _, _, image in chosen.values())]))
    for name, rows in table.items():
        means = {key: statistics.mean(values[key] for values in rows) for key in rows[0]}
        print(f"| mean | {name} |", " | ".join(f"{v:.3g}" for v in means.values()), "|")
    images.save(args.output / "sheet.png", np.vstack(sheet))


if __name__ == "__main__":
    main()
