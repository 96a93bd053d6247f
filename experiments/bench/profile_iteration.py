"""Where an iteration's time goes: the network forward, the objective, its gradient, the optimizer's own part.

    python experiments/bench/profile_iteration.py [CONFIG] [--size 256] [--octaves 3] [--weights FILE]
        [--precision bf16] [--backend xla] [--repeats 7]

The rows: pyramid and network forward; forward and back from the deepest layer alone, which are the convolutions with
pooling and borders; the value with Gram matrices; value and gradient; and an iteration, of ten in one call as in a run,
after the first ten, which take more than one evaluation each. Times are medians, and the programs take turns.
Operations are counted as by the compiler, which does not count those of oneDNN, and the last row has the rate of a
plain matrix product. The script prints a Markdown table.
"""

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp

from texjax import config as configs
from texjax import pyramid
from texjax.runs import operations
from texjax.synthesis import build, optimize

STEPS = 10


def seconds(function) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="snelgrove")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--weights", default="")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    words = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    words += [f"--config.features.precision={args.precision}", f"--config.features.backend={args.backend}"]
    words += [f"--config.save_every={STEPS}", *([f"--config.features.weights={args.weights}"] * bool(args.weights))]
    config = configs.load(args.config, words)
    parts = build.parts(config)
    images, source = jax.random.uniform(jax.random.key(0), (2, 1, 1, args.size, args.size, 3))
    weights, targets = (
        parts.extractor.weights,
        optimize.targets(parts, config.octaves, {"sources": [source[0, 0] ** 2]}),
    )
    keys = jax.random.split(jax.random.key(config.seed), 1)
    state = parts.program.empty(images, keys, weights, targets)
    state, images, _ = parts.program.run(images, state, keys, True, 0, STEPS, weights, targets)
    choices = jax.tree.map(jnp.copy, state.choices)  # () where no term refreshes; the state itself is given away

    def network(images, weights, *_):
        levels = pyramid.gaussian(images[0], config.octaves, padding=config.pyramid.padding)
        maps = [parts.extractor.apply(weights, level, parts.layers[-1:]) for level in levels]
        return sum(features.mean() for of_level in maps for features in of_level.values())

    programs = {
        "network": network,
        "network and its gradient": jax.value_and_grad(network),
        "value": parts.objective.value,
        "value and gradient": jax.value_and_grad(parts.objective.value, has_aux=True),
    }
    inputs, calls, flops = (images[0], weights, targets, *choices), {}, {}
    for name, function in programs.items():
        compiled = jax.jit(function).lower(*inputs).compile()
        calls[name] = lambda compiled=compiled: compiled(*inputs)
        flops[name] = operations.analyze(jax.jit(function).trace(*inputs), compiling=False).flops
    latest = [state]

    def iterations() -> Any:
        latest[0], *outputs = parts.program.run(images, latest[0], keys, False, 0, STEPS, weights, targets)
        return outputs

    calls["iteration"] = iterations
    times = {name: [] for name in calls}
    for _ in range(args.repeats + 1):
        for name, call in calls.items():
            times[name].append(seconds(call) / (STEPS if name == "iteration" else 1))
    medians = {name: statistics.median(of_call[1:]) for name, of_call in times.items()}
    print("| what | seconds | of an iteration | GFLOP/s |\n| --- | --- | --- | --- |")
    for name, median in medians.items():
        rate = f"{flops[name] / median / 1e9:.0f}" if name in flops else ""
        print(f"| {name} | {median:.4f} | {median / medians['iteration']:.2f} | {rate} |")
    print(f"| plain matrix product | | | {operations.rate() / 1e9:.0f} |")


if __name__ == "__main__":
    main()
