"""The objective's value-and-gradient bare and inside scan, while and map: the time of each over the bare one.

    python experiments/bench/loops.py WEIGHTS.h5 [--size 256] [--octaves 3] [--repeats 9]

All should be 1: see texjax/features/convolution.py for why they would not be.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
from jax import lax

from texjax import features, losses
from texjax.synthesis import objective

STEPS = 4


def timings(functions, repeats):
    """Median seconds of each, measured in turns so that what disturbs one disturbs all."""
    for function in functions.values():
        jax.block_until_ready(function())
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            jax.block_until_ready(function())
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    extractor = features.vgg19(weights=args.weights)
    terms = [objective.Term("gram", losses.gram(), 1.0, {"pool1": 1.0, "conv3_2": 1.0})]
    made = objective.objective(extractor, terms, args.octaves)
    source = jax.random.uniform(jax.random.key(0), (args.size, args.size, 3))
    image = jax.random.uniform(jax.random.key(1), (1, args.size, args.size, 3))
    weights = extractor.weights
    targets = made.join([jax.jit(made.summarize)(weights, source)])

    def gradient(x, weights, targets):
        return jax.grad(lambda y: made.value(y, weights, targets)[0])(x)

    def descend(x, weights, targets):
        return x - 1e-6 * gradient(x, weights, targets)

    def bare(x, *rest):
        for _ in range(STEPS):
            x = single(x, *rest)
        return x

    def scan(x, *rest):
        return lax.scan(lambda c, _: (descend(c, *rest), None), x, None, length=STEPS)[0]

    def whiled(x, *rest):
        return lax.while_loop(lambda c: c[0] < STEPS, lambda c: (c[0] + 1, descend(c[1], *rest)), (0, x))[1]

    def mapped(x, *rest):
        return lax.map(lambda c: descend(c, *rest), jnp.broadcast_to(x, (STEPS, *x.shape)))

    single, rest = jax.jit(descend), (image, weights, targets)
    loops = {"scan": jax.jit(scan), "while": jax.jit(whiled), "map": jax.jit(mapped)}
    functions = {"bare": lambda: bare(*rest)} | {name: lambda f=f: f(*rest) for name, f in loops.items()}
    found = timings(functions, args.repeats)
    print(f"{args.size} px, {args.octaves} octaves, jax {jax.__version__}\n")
    print("| where | s per evaluation | over bare |\n|---|---|---|")
    for name, seconds in found.items():
        print(f"| {name} | {seconds / STEPS:.3f} | {seconds / found['bare']:.2f} |")


if __name__ == "__main__":
    main()
