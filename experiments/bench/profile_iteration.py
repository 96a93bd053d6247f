"""Where an iteration's time goes: the network forward, the objective, its gradient, the optimizer's own part.

    python experiments/bench/profile_iteration.py [CONFIG] [--size 256] [--octaves 3] [--weights FILE] [--repeats 7]

Each row holds those above it: pyramid and network alone, the value with Gram matrices, value and gradient, and an
iteration, of ten in one call as in a run. Medians, interleaved; operations as the compiler counts them, beside the rate
of a plain matrix product. Prints a Markdown table.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp

from texjax import config as configs
from texjax import pyramid
from texjax.runs import plan, run
from texjax.synthesis import build

STEPS = 10


def seconds(function) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="snelgrove")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--weights", default="")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    words = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    words += [f"--config.save_every={STEPS}", *([f"--config.features.weights={args.weights}"] * bool(args.weights))]
    config = configs.load(args.config, words)
    made = build.parts(config)
    stack, source = jax.random.uniform(jax.random.key(0), (2, 1, 1, args.size, args.size, 3))
    given = (made.extractor.weights, run.targets(made, [source[0, 0] ** 2]))
    shapes = jax.eval_shape(jax.vmap(lambda x: made.minimizer.init(x, *given)), stack)
    state = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    state, _, _ = made.advance(stack, state, True, 0, *given)

    def network(images, weights, targets):
        levels = pyramid.gaussian(images[0], config.octaves, config.pyramid.padding)
        return sum(x.sum() for level in levels for x in made.extractor.apply(weights, level, made.layers).values())

    programs = {
        "pyramid and network": network,
        "value": made.value,
        "value and gradient": jax.value_and_grad(made.value, has_aux=True),
    }
    calls, flops = {}, {}
    for name, function in programs.items():
        compiled = jax.jit(function).lower(stack[0], *given).compile()
        calls[name], flops[name] = (
            (lambda compiled=compiled: compiled(stack[0], *given)),
            plan._cost(function, stack[0], *given)[0],
        )
    calls["iteration"] = lambda: made.advance(stack, state, False, STEPS, *given)
    times = {name: [] for name in calls}
    for _ in range(args.repeats + 1):
        for name, call in calls.items():
            times[name].append(seconds(call) / (STEPS if name == "iteration" else 1))
    found = {name: statistics.median(own[1:]) for name, own in times.items()}
    print("| what | seconds | of an iteration | GFLOP/s |\n| --- | --- | --- | --- |")
    for name, own in found.items():
        rate = f"{flops[name] / own / 1e9:.0f}" if name in flops else ""
        print(f"| {name} | {own:.4f} | {own / found['iteration']:.2f} | {rate} |")
    print(f"| plain matrix product | | | {plan._rate() / 1e9:.0f} |")


if __name__ == "__main__":
    main()
