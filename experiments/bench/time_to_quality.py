"""How long until a recipe of texjax is as near to the source as the reference recipe ends up, by its own objective?

    python experiments/bench/time_to_quality.py VGG19_WEIGHTS OUT_DIR PICTURE... [--size 256] [--octaves 3]
        [--iterations 500] [--recipe "CONFIG --config.KEY=VALUE"]...

Needs the `bench` extra. The reference is Snelgrove's program: unpadded VGG-19, noise near black, SciPy's L-BFGS-B for
`iterations` iterations, here on PyTorch (`torch_snelgrove.py`), in float32 and with the network in bf16 by autocast.
The float32 reference's whole objective judges every picture of the recipe and the last ones of both references as they
would be saved, with values cut off at 0 and 1. It also judges the last picture of the float32 reference before that,
because the reference ends with values outside. Times are without compiling and without judging. The script prints a
Markdown table and writes the pictures into OUT_DIR.
"""

import argparse
import shlex
from pathlib import Path

import numpy as np

from experiments.bench import timed, torch_snelgrove
from texjax import config as configs
from texjax import images, shipped

RECIPE = "texture:network=vgg19"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("output", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--recipe", action="append", help=f"a config with overrides; {RECIPE} where none is given")
    args = parser.parse_intermixed_args()
    args.output.mkdir(parents=True, exist_ok=True)
    means = torch_snelgrove.load_means(shipped.folder("weights") / "vgg19_channel_means.safetensors")
    network = torch_snelgrove.load(args.weights, means)
    common = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    common += ["--config.save_every=5", "--config.tol=0.0"]
    print("| texture | recipe | seconds | loss as saved | seconds until the reference's loss as saved, and before |")
    print("| --- | --- | --- | --- | --- |")
    for path in args.pictures:
        source = timed.source(path, args.size)
        objective = torch_snelgrove.Objective(network, source, torch_snelgrove.Settings(octaves=args.octaves))
        start = torch_snelgrove.start_image(args.size, args.size)
        goals = ()
        for name, autocast in (("reference", False), ("reference in bf16", True)):
            settings = torch_snelgrove.Settings(octaves=args.octaves, autocast=autocast)
            reference = torch_snelgrove.Objective(network, source, settings)
            result = torch_snelgrove.minimize(reference, start, max_iter=args.iterations)
            image = np.clip(result.image, 0, 1).astype(np.float32)
            loss, before = (objective.value_and_grad(picture)[0] for picture in (image, result.image))
            goals = goals or (loss, before)
            images.save(args.output / f"{path.stem}_{name.replace(' ', '_')}.png", image)
            steps = f"before: {before:.4g}, {result.iterations} iterations"
            print(f"| {path.stem} | {name} | {result.seconds[-1]:.1f} | {loss:.4g} | {steps} |", flush=True)
        for number, recipe in enumerate(args.recipe or [RECIPE]):
            spec, *words = shlex.split(recipe)
            if configs.load(spec).features.name == "vgg19":
                words += [f"--config.features.weights={args.weights}"]
            moments = list(timed.moments(configs.load(spec, [*common, *words]), source))
            curve = [(moment.seconds, objective.value_and_grad(moment.image)[0]) for moment in moments]
            until = [next((f"{t:.1f}" for t, loss in curve if loss <= goal), "never") for goal in goals]
            images.save(args.output / f"{path.stem}_{number}.png", moments[-1].image)
            print(
                f"| {path.stem} | {recipe} | {curve[-1][0]:.1f} | {curve[-1][1]:.4g} | {until[0]}, {until[1]} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
