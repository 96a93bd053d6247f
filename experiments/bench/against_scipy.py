"""The reference recipe end to end: texjax's L-BFGS against PyTorch with SciPy's L-BFGS-B, same objective and start.

    python experiments/bench/against_scipy.py WEIGHTS.h5 PICTURE OUT_DIR [--size 256] [--width 512] [--octaves 3]

Needs the `bench` extra. texjax runs `--steps` iterations; SciPy gets as many evaluations as texjax took. The script
writes both pictures, and prints both times and both losses of the pictures as they are saved (in [0, 1]), by PyTorch's
objective.
"""

import argparse
import time
from pathlib import Path

import jax
import numpy as np

import texjax
from experiments.bench import torch_snelgrove
from texjax import config as configs
from texjax import images, shipped


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
    words = [f"--config.features.weights={args.weights}", f"--config.size=({args.size},{args.size})"]
    words += [f"--config.octaves={args.octaves}", f"--config.max_iter={args.steps}", "--config.tol=0.0"]
    config = configs.load("snelgrove", words)

    begin = time.perf_counter()
    first, *_, last = texjax.iterate(source, config=config)
    start, ours, seconds = first.images[0, 0], np.clip(last.images[0, 0], 0, 1), time.perf_counter() - begin
    evaluations = int(last.metrics["evaluations"][-1, 0])

    means = torch_snelgrove.load_means(shipped.folder("weights") / "vgg19_channel_means.safetensors")
    network = torch_snelgrove.load(args.weights, means)
    reference = torch_snelgrove.Objective(network, source, torch_snelgrove.Settings(octaves=args.octaves))
    print(f"texjax (jax {jax.__version__}): {last.step} iterations, {evaluations} evaluations, {seconds:.1f} s")
    print(f"  loss {last.loss:.6g}, as saved {reference.value_and_grad(ours)[0]:.6g}", flush=True)
    images.save(args.out / "texjax.png", ours)
    for penalty in (0.0, 100.0):
        settings = torch_snelgrove.Settings(octaves=args.octaves, penalty=penalty)
        objective = torch_snelgrove.Objective(network, source, settings)
        begin = time.perf_counter()
        result = torch_snelgrove.minimize(objective, start, max_iter=evaluations, maxfun=evaluations)
        theirs, used = np.clip(result.image, 0, 1), min(len(result.losses), evaluations)
        print(f"torch + SciPy, penalty {penalty:g}: {used} evaluations, {time.perf_counter() - begin:.1f} s")
        print(f"  loss {min(result.losses[:used]):.6g}, as saved {reference.value_and_grad(theirs)[0]:.6g}", flush=True)
        images.save(args.out / f"scipy_penalty_{penalty:g}.png", theirs.astype(np.float32))


if __name__ == "__main__":
    main()
