"""What a value and gradient costs with each network, at the layers of its shipped config.

    python experiments/bench/networks.py WEIGHTS.h5 [--size 256] [--octaves 4] [--rounds 9]

Padding is circular for all. The networks take turns, and the ratio is that of their medians. The script prints a
Markdown table.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp

from texjax import config as configs
from texjax.synthesis import build, optimize


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    common = [f"--config.octaves={args.octaves}", "--config.pyramid.padding=circular"]
    specs = {
        "VGG-19": ("snelgrove", [f"--config.features.weights={args.weights}", "--config.features.padding=circular"]),
        "compact": ("texture", []),
        "compact, layers of VGG-19's": ("texture", ["--config.terms.gram.layers={'pool1': 1.0, 'conv3_2': 1.0}"]),
        "random": ("random", []),
    }
    source = jax.random.uniform(jax.random.key(0), (args.size, args.size, 3))
    calls, times = {}, {name: [] for name in specs}
    for name, (spec, overrides) in specs.items():
        parts = build.parts(configs.load(spec, [*common, *overrides]))
        inputs = (parts.extractor.weights, optimize.targets(parts, args.octaves, {"sources": [source]}))
        calls[name] = jax.jit(jax.value_and_grad(parts.objective.value, has_aux=True)), inputs
        jax.block_until_ready(calls[name][0](0.9 * source[None], *inputs))
    for _ in range(args.rounds):
        for name, (evaluate, inputs) in calls.items():
            begin = time.perf_counter()
            jax.block_until_ready(evaluate(jnp.multiply(source, 0.9)[None], *inputs))
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"{args.size} px, {args.octaves} octaves, jax {jax.__version__}, {jax.default_backend()}\n")
    print("| network | milliseconds | VGG-19's over it |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {1e3 * median:.1f} | {medians['VGG-19'] / median:.1f} |")


if __name__ == "__main__":
    main()
