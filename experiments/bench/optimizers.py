"""Optimizers at equal iterations: loss, and time per iteration over the time of a bare value-and-gradient.

    python experiments/bench/optimizers.py WEIGHTS.h5 [--size 144] [--octaves 3] [--steps 150] [--seeds 1]
        [PICTURE...] [--runs NAME...]

SciPy's L-BFGS-B minimizes the same scaled objective with the same penalty outside [0, 1], in float64 vectors over
float32 evaluations. How it ends depends on rounding: "SciPy, moved" starts from an image moved by a thousandth of a
gray level, and its ratio to SciPy is what chance does; so the last lines give geometric means over pictures and seeds.
Without pictures the procedural exemplars are used. Prints a Markdown table.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

sys.path.insert(0, str(Path(__file__).parents[1]))
import exemplars

from texjax import features, images, losses, optimizers
from texjax.optimizers import ranges, scaling
from texjax.synthesis import inits, loop, objective

RUNS = {
    "lbfgs penalty": (optimizers.lbfgs, dict(range="penalty")),
    "lbfgs none": (optimizers.lbfgs, dict(range="none")),
    "lbfgs sigmoid": (optimizers.lbfgs, dict(range="sigmoid")),
    "lbfgs clip": (optimizers.lbfgs, dict(range="clip")),
    "optax_lbfgs penalty": (optimizers.optax_lbfgs, dict(range="penalty")),
    "lbfgsb bounds": (optimizers.lbfgsb, dict(range="bounds")),
    "adam clip": (optimizers.adam, dict(range="clip")),
}


def scipy_run(value, args, start, steps):
    """SciPy's L-BFGS-B: image, seconds."""
    evaluate = scaling.scaled(value, ranges.RANGES["penalty"])
    scale = scaling.first_scale(evaluate(start, jnp.ones(()), *args)[1])

    def fun(x):
        (total, _), gradient = evaluate(jnp.asarray(x.reshape(start.shape), jnp.float32), scale, *args)
        return float(total), np.asarray(gradient, np.float64).ravel()

    begin = time.perf_counter()
    options = dict(maxiter=steps, maxcor=10, maxfun=10**6, ftol=0, gtol=0)
    found = optimize.minimize(fun, np.asarray(start, np.float64).ravel(), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(start.shape).astype(np.float32), time.perf_counter() - begin


def texjax_run(make, settings, value, args, start, steps):
    """One of ours: image, seconds of the steps after the first ten (warm), failed line searches."""
    minimizer = make(value, **settings)
    advance = loop.program(minimizer, 10)
    iterates = list(loop.iterate(advance, minimizer, start[None], args, max_iter=steps, save_every=10))
    failed = sum(int(i.metrics["failed"].sum()) for i in iterates)
    return iterates[-1].images[0], statistics.median(i.seconds / 10 for i in iterates[2:]) * steps, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("pictures", nargs="*")
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=1, help="starts per picture")
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    args = parser.parse_args()
    extractor = features.vgg19(weights=args.weights)
    terms = [objective.Term("gram", losses.gram(), 1.0, {"pool1": 1.0, "conv3_2": 1.0})]
    made = objective.objective(extractor, terms, args.octaves)
    evaluate = jax.jit(jax.value_and_grad(made.value, has_aux=True))
    pictures = {Path(p).stem: images.load(p, width=256) for p in args.pictures}
    pictures = pictures or {name: draw(256) for name, draw in list(exemplars.MATERIALS.items())[:5]}
    print(f"{args.size} px, {args.octaves} octaves, {args.steps} iterations, jax {jax.__version__}\n")
    print(
        "| picture | optimizer | loss | clipped | over SciPy | outside | time / evaluation | failed |\n|" + "---|" * 8
    )
    ratios = {}
    for (name, picture), seed in itertools.product(pictures.items(), range(args.seeds)):
        start = inits.noise(jax.random.key(seed), (args.size, args.size), [], mean=10 / 255, deviation=1 / 255)[None]
        targets = made.join([jax.jit(made.summarize)(extractor.weights, jnp.asarray(picture))])
        rest = (extractor.weights, targets)
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            jax.block_until_ready(evaluate(start, *rest))
            times.append(time.perf_counter() - begin)
        bare = statistics.median(times[1:])
        base = None
        for run in ("SciPy", "SciPy, moved", *args.runs):
            if run not in RUNS:
                moved = start + (1e-3 / 255 if base else 0)
                image, seconds, failed = *scipy_run(made.value, rest, moved, args.steps), 0
            else:
                image, seconds, failed = texjax_run(*RUNS[run], made.value, rest, start, args.steps)
            free, clipped = (float(evaluate(jnp.asarray(x), *rest)[0][0]) for x in (image, np.clip(image, 0, 1)))
            base = base or clipped
            ratios.setdefault(run, []).append(clipped / base)
            outside = np.mean((image < -1e-3) | (image > 1 + 1e-3))
            ratio = seconds / args.steps / bare
            row = (
                name,
                run,
                f"{free:.5f}",
                f"{clipped:.5f}",
                f"{clipped / base:.3f}",
                f"{outside:.1%}",
                f"{ratio:.2f}",
                failed,
            )
            print("|", " | ".join(map(str, row)), "|", flush=True)
    for run, found in ratios.items():
        spread = f"{min(found):.3f} to {max(found):.3f}"
        print(f"{run}: loss over SciPy's {statistics.geometric_mean(found):.3f} in the mean of {len(found)}, {spread}")


if __name__ == "__main__":
    main()
