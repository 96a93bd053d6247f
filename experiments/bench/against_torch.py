"""Value and gradient of the multi-scale Gram objective: texjax against PyTorch eager, channels-last, in one run.

    python experiments/bench/against_torch.py WEIGHTS.h5 [--size 512] [--octaves 4] [--padding valid] [--repeats 7]

Needs the `bench` extra. The script prints both times, their ratio, the rate, and the peak memory of texjax's program.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

from experiments.bench import torch_snelgrove
from texjax import features, losses, shipped, types
from texjax.synthesis import objective


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--padding", default="valid")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    pyramid = "reflect" if args.padding == "same" else args.padding
    rng = np.random.default_rng(0)
    source, image = (rng.random((args.size, args.size, 3), np.float32) for _ in range(2))

    extractor = features.vgg19(weights=args.weights, padding=args.padding)
    terms = [types.Term("gram", losses.gram(), 1.0, {"pool1": 1.0, "conv3_2": 1.0})]
    problem = objective.objective(extractor, terms, args.octaves, pyramid)
    targets = problem.join([jax.jit(problem.summarize)(extractor.weights, jnp.asarray(source))])
    inputs = (jnp.asarray(image)[None], extractor.weights, targets)
    compiled = jax.jit(jax.value_and_grad(problem.value, has_aux=True)).lower(*inputs).compile()

    means = torch_snelgrove.load_means(shipped.folder("weights") / "vgg19_channel_means.safetensors")
    settings = torch_snelgrove.Settings(octaves=args.octaves, padding=args.padding, pyramid_padding=pyramid)
    reference = torch_snelgrove.Objective(torch_snelgrove.load(args.weights, means), source, settings)

    seconds = {"texjax": [], "torch": []}
    for _ in range(args.repeats + 1):
        begin = time.perf_counter()
        (value, _), _ = jax.block_until_ready(compiled(*inputs))
        seconds["texjax"].append(time.perf_counter() - begin)
        begin = time.perf_counter()
        expected, _ = reference.value_and_grad(image)
        seconds["torch"].append(time.perf_counter() - begin)
    ours, theirs = (statistics.median(times[1:]) for times in seconds.values())
    flops = compiled.cost_analysis()["flops"]
    print(f"{args.size} px, {args.octaves} octaves, {args.padding}; jax {jax.__version__}, torch {torch.__version__}")
    print(f"losses {float(value):.6g} and {expected:.6g}, relative difference {abs(float(value) / expected - 1):.1e}")
    print(
        f"texjax {ours:.3f} s ({flops / ours / 1e9:.0f} GFLOP/s), torch {theirs:.3f} s: {theirs / ours:.2f} x as fast"
    )
    print(f"temporaries of texjax's program: {compiled.memory_analysis().temp_size_in_bytes / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
