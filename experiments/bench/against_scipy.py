"""The reference recipe end to end: texjax's L-BFGS against PyTorch with SciPy's L-BFGS-B, same objective and start.

    python experiments/bench/against_scipy.py WEIGHTS.h5 PICTURE OUT_DIR [--size 256] [--width 512] [--octaves 3]

Needs the `bench` extra. texjax runs `--steps` iterations; SciPy gets as many evaluations as texjax took. Writes both
pictures, and prints both losses of the pictures as saved (in [0, 1]), by PyTorch's objective, and both times.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch_snelgrove

from texjax import config, images
from texjax.runs import run
from texjax.synthesis import build, loop


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("picture")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    source = images.load(args.picture, width=args.width)
    size = f"--config.size=({args.size},{args.size})"
    words = [f"--config.features.weights={args.weights}", size, f"--config.octaves={args.octaves}"]
    settings = config.load("snelgrove", words)

    made = build.parts(settings)
    start = run.start(settings, [jnp.asarray(source)])
    begin = time.perf_counter()
    rest = (made.extractor.weights, run.targets(made, [jnp.asarray(source)]))
    every = settings.save_every
    iterates = loop.iterate(made.advance, made.minimizer, start, rest, max_iter=args.steps, save_every=every)
    last = list(iterates)[-1]
    ours, seconds = np.clip(last.images[0, 0], 0, 1), time.perf_counter() - begin
    evaluations = int(last.metrics["evaluations"][-1, 0])

    means = torch_snelgrove.load_means(config.shipped("weights") / "vgg19_channel_means.safetensors")
    options = torch_snelgrove.Settings(octaves=args.octaves)
    reference = torch_snelgrove.Objective(torch_snelgrove.load(args.weights, means), source, options)
    print(f"texjax (jax {jax.__version__}): {args.steps} iterations, {evaluations} evaluations, {seconds:.1f} s")
    print(f"  loss {last.metrics['loss'][-1, 0]:.6g}, as saved {reference.value_and_grad(ours)[0]:.6g}", flush=True)
    images.save(args.out / "texjax.png", ours)
    for penalty in (0.0, 100.0):
        options = torch_snelgrove.Settings(octaves=args.octaves, penalty=penalty)
        penalized = torch_snelgrove.Objective(torch_snelgrove.load(args.weights, means), source, options)
        begin = time.perf_counter()
        found = torch_snelgrove.minimize(penalized, np.asarray(start[0, 0]), max_iter=evaluations, maxfun=evaluations)
        theirs, used = np.clip(found.image, 0, 1), min(len(found.losses), evaluations)
        print(f"torch + SciPy, penalty {penalty:g}: {used} evaluations, {time.perf_counter() - begin:.1f} s")
        print(f"  loss {min(found.losses[:used]):.6g}, as saved {reference.value_and_grad(theirs)[0]:.6g}", flush=True)
        images.save(args.out / f"scipy_penalty_{penalty:g}.png", theirs.astype(np.float32))


if __name__ == "__main__":
    main()
