"""The objective's value-and-gradient bare and inside scan, while and map: the time of each over the bare one.

    python experiments/bench/loops.py WEIGHTS.h5 [--size 256] [--octaves 3] [--repeats 9]

All ratios should be 1; texjax/features/convolution.py says why they might not be. The script prints a Markdown table.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
from jax import lax

from texjax import features, losses, types
from texjax.synthesis import objective

STEPS = 4


def timings(functions, repeats):
    """Return the median seconds of each function; they take turns, so that a disturbance meets all of them."""
    for function in functions.values():
        jax.block_until_ready(function())
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            begin = time.perf_counter()
            jax.block_until_ready(function())
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    extractor = features.vgg19(weights=args.weights)
    terms = [types.Term("gram", losses.gram(), 1.0, {"pool1": 1.0, "conv3_2": 1.0})]
    problem = objective.objective(extractor, terms, args.octaves)
    source = jax.random.uniform(jax.random.key(0), (args.size, args.size, 3))
    image = jax.random.uniform(jax.random.key(1), (1, args.size, args.size, 3))
    targets = problem.join([jax.jit(problem.summarize)(extractor.weights, source)])

    def gradient(image, weights, targets):
        return jax.grad(lambda images: problem.value(images, weights, targets)[0])(image)

    def descend(image, weights, targets):
        return image - 1e-6 * gradient(image, weights, targets)

    def bare(image, *args):
        for _ in range(STEPS):
            image = descend_once(image, *args)
        return image

    def scan(image, *args):
        return lax.scan(lambda carry, _: (descend(carry, *args), None), image, None, length=STEPS)[0]

    def while_loop(image, *args):
        return lax.while_loop(lambda c: c[0] < STEPS, lambda c: (c[0] + 1, descend(c[1], *args)), (0, image))[1]

    def mapped(image, *args):
        return lax.map(lambda image: descend(image, *args), jnp.broadcast_to(image, (STEPS, *image.shape)))

    descend_once, inputs = jax.jit(descend), (image, extractor.weights, targets)
    loops = {"scan": jax.jit(scan), "while": jax.jit(while_loop), "map": jax.jit(mapped)}
    functions = {"bare": lambda: bare(*inputs)} | {
        name: lambda loop=loop: loop(*inputs) for name, loop in loops.items()
    }
    medians = timings(functions, args.repeats)
    print(f"{args.size} px, {args.octaves} octaves, jax {jax.__version__}\n")
    print("| where | s per evaluation | over bare |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds / STEPS:.3f} | {seconds / medians['bare']:.2f} |")


if __name__ == "__main__":
    main()
