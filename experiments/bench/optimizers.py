"""Optimizers at equal iterations: loss, and time per iteration over the time of a bare value-and-gradient.

    python experiments/bench/optimizers.py WEIGHTS.h5 [--size 144] [--octaves 3] [--steps 150] [--seeds 1]
        [PICTURE...] [--runs NAME...]

SciPy's L-BFGS-B minimizes the same scaled objective with the same penalty outside [0, 1], in float64 vectors over
float32 evaluations. How it ends depends on rounding: "SciPy, moved" starts from an image moved by a thousandth of a
gray level, and its ratio to SciPy shows what chance does. Therefore the last lines give geometric means over pictures
and seeds. Without pictures, the sources are the procedural exemplars. The script prints a Markdown table.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from experiments import exemplars
from texjax import features, images, inits, losses, optimizers, types
from texjax.optimizers import ranges, scaling
from texjax.synthesis import loop, objective, steps

RUNS = {
    "lbfgs penalty": (optimizers.lbfgs, dict(range="penalty")),
    "lbfgs none": (optimizers.lbfgs, dict(range="none")),
    "lbfgs sigmoid": (optimizers.lbfgs, dict(range="sigmoid")),
    "lbfgs clip": (optimizers.lbfgs, dict(range="clip")),
    "optax_lbfgs penalty": (optimizers.optax_lbfgs, dict(range="penalty")),
    "lbfgsb bounds": (optimizers.lbfgsb, dict(range="bounds")),
    "adam clip": (optimizers.adam, dict(range="clip")),
}
COLUMNS = ("picture", "optimizer", "loss", "clipped", "over SciPy", "outside", "time / evaluation", "failed")


def scipy_run(problem, args, start, steps):
    """Minimize by SciPy's L-BFGS-B; return the image, seconds, and 0 for failed line searches, which SciPy hides."""
    evaluate = scaling.scaled(problem.value, ranges.RANGES["penalty"])
    scale = scaling.first_scale(evaluate(start, jnp.ones(()), *args)[1])

    def evaluate_vector(vector):
        (total, _), gradient = evaluate(jnp.asarray(vector.reshape(start.shape), jnp.float32), scale, *args)
        return float(total), np.asarray(gradient, np.float64).ravel()

    begin, vector = time.perf_counter(), np.asarray(start, np.float64).ravel()
    options = dict(maxiter=steps, maxcor=10, maxfun=10**6, ftol=0, gtol=0)
    result = optimize.minimize(evaluate_vector, vector, jac=True, method="L-BFGS-B", options=options)
    return result.x.reshape(start.shape).astype(np.float32), time.perf_counter() - begin, 0


def texjax_run(name, problem, args, start, count):
    """Minimize by a minimizer of `RUNS`; return the image, seconds of warm steps, and failed line searches.

    The seconds are those of all steps at the pace of the steps after the first ten, which include compiling.
    """
    minimizer, settings = RUNS[name]
    program = steps.program(minimizer(problem.value, **settings), 10)
    keys = jax.random.split(jax.random.key(0), 1)
    iterates = list(loop.iterate(program, start[None], keys, args, max_iter=count, save_every=10))
    failed = sum(int(iterate.metrics["failed"].sum()) for iterate in iterates)
    pace = statistics.median(iterate.seconds / 10 for iterate in iterates[2:])
    return iterates[-1].images[0], pace * count, failed


def bare_seconds(evaluate, inputs):
    """Return the median seconds of an evaluation, after a first one."""
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        jax.block_until_ready(evaluate(*inputs))
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("pictures", nargs="*")
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="from 20")
    parser.add_argument("--seeds", type=int, default=1, help="starts per picture")
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    args = parser.parse_args()
    extractor = features.vgg19(weights=args.weights)
    terms = [types.Term("gram", losses.gram(), 1.0, {"pool1": 1.0, "conv3_2": 1.0})]
    problem = objective.objective(extractor, terms, args.octaves)
    evaluate = jax.jit(jax.value_and_grad(problem.value, has_aux=True))
    pictures = {Path(path).stem: images.load(path, width=256) for path in args.pictures}
    pictures = pictures or {name: draw(256) for name, draw in list(exemplars.MATERIALS.items())[:5]}
    print(f"{args.size} px, {args.octaves} octaves, {args.steps} iterations, jax {jax.__version__}\n")
    print(f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), sep="\n")
    ratios = {}
    for (name, picture), seed in itertools.product(pictures.items(), range(args.seeds)):
        start = inits.noise(jax.random.key(seed), (args.size, args.size, 3), [], mean=10 / 255, deviation=1 / 255)[None]
        targets = problem.join([jax.jit(problem.summarize)(extractor.weights, jnp.asarray(picture))])
        inputs = (extractor.weights, targets)
        bare = bare_seconds(evaluate, (start, *inputs))
        scipy_loss = None
        for run in ("SciPy", "SciPy, moved", *args.runs):
            if run in RUNS:
                image, seconds, failed = texjax_run(run, problem, inputs, start, args.steps)
            else:
                moved = start + (1e-3 / 255 if scipy_loss else 0)
                image, seconds, failed = scipy_run(problem, inputs, moved, args.steps)
            free, clipped = (float(evaluate(jnp.asarray(x), *inputs)[0][0]) for x in (image, np.clip(image, 0, 1)))
            scipy_loss = scipy_loss or clipped
            ratio = clipped / scipy_loss
            ratios.setdefault(run, []).append(ratio)
            outside = np.mean((image < -1e-3) | (image > 1 + 1e-3))
            numbers = f"{free:.5f} | {clipped:.5f} | {ratio:.3f} | {outside:.1%} | {seconds / args.steps / bare:.2f}"
            print(f"| {name} | {run} | {numbers} | {failed} |", flush=True)
    for run, of_run in ratios.items():
        mean, spread = statistics.geometric_mean(of_run), f"{min(of_run):.3f} to {max(of_run):.3f}"
        print(f"{run}: loss over SciPy's {mean:.3f} in the mean of {len(of_run)}, {spread}")


if __name__ == "__main__":
    main()
