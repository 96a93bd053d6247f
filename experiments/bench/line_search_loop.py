"""What the rewired line search of jaxopt saves: time to compile and time per step of L-BFGS, with it and without.

    python experiments/bench/line_search_loop.py [--size 128] [--octaves 3] [--steps 40] [--repeats 3]

`jaxopt_lbfgs._one_loop` rewires private parts of jaxopt, so that a program holds fewer copies of the network. Both
variants minimize Gram losses of the compact network at the layers of config `texture`, in turns and compiled anew each
time. Prints medians, also of the time of all threads (CPU), which depends less on what else the machine does.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp

from texjax import features, optimizers, pyramid
from texjax.optimizers import jaxopt_lbfgs

LAYERS = {"conv1_1": 10.0, "conv1_2": 10.0, "conv2_2": 3.0, "conv3_2": 1.0}
VARIANTS = {"rewired": jaxopt_lbfgs._one_loop, "unrewired": lambda solver: solver}
COLUMNS = ("compiling, s", "CPU s", "convolutions", "step, ms", "CPU ms", "evaluations per step", "loss")


def timed(function):
    """Return the result of the function, seconds, and seconds of all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(function())
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(objective, images, steps, args):
    """Return the numbers of `COLUMNS`; compiling includes tracing, and the start is not part of the steps."""
    minimizer = optimizers.lbfgs(objective)

    def run(images, steps, *args):
        state = minimizer.init(images, *args)
        return minimizer.read(jax.lax.fori_loop(0, steps, lambda _, s: minimizer.step(s, *args), state))[1]

    jax.clear_caches()
    options = {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else None  # as in real runs
    compiled, *compiling = timed(lambda: jax.jit(run, compiler_options=options).lower(images, 0, *args).compile())
    _, start, whole = [timed(lambda n=n: compiled(images, n, *args)) for n in (1, 0, steps)]
    step = [1e3 * (after - before) / steps for before, after in zip(start[1:], whole[1:], strict=True)]
    evaluations = (float(whole[0]["evaluations"]) - 1) / steps
    return [*compiling, compiled.as_text().count(" convolution("), *step, evaluations, float(whole[0]["loss"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {"size": 128, "octaves": 3, "steps": 40, "repeats": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    network = features.compact(padding="circular")

    def grams(image, weights):
        levels = pyramid.gaussian(image, args.octaves, padding="circular")
        maps = [m for level in levels for m in network.apply(weights, level, tuple(LAYERS)).values()]
        return [jnp.einsum("hwi,hwj->ij", m, m, precision="highest") / m.size for m in maps]

    def objective(images, weights, targets):
        pairs = zip(grams(images[0], weights), targets, [*LAYERS.values()] * args.octaves, strict=True)
        return sum(weight * jnp.sum((gram - target) ** 2) for gram, target, weight in pairs), {}

    source, images = (jax.random.uniform(jax.random.key(i), (1, args.size, args.size, 3)) for i in range(2))
    rest = (network.weights, jax.jit(grams)(source[0] ** 3, network.weights))
    rows = {name: [] for name in VARIANTS}
    for name in [*VARIANTS] * args.repeats:
        jaxopt_lbfgs._one_loop = VARIANTS[name]
        rows[name].append(measure(objective, images, args.steps, rest))
    table = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in rows.items()}
    table["ratio"] = [unrewired / rewired for rewired, unrewired in zip(*table.values(), strict=True)]
    print(f"{args.size} px, {args.octaves} octaves, {args.steps} steps, jax {jax.__version__}\n")
    print("| line search |", " | ".join(COLUMNS), "|\n|" + "---|" * (len(COLUMNS) + 1))
    for name, numbers in table.items():
        print(f"| {name} |", " | ".join(f"{number:.3g}" for number in numbers), "|")


if __name__ == "__main__":
    main()
