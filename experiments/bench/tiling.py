"""What tiles cost: time and memory of an evaluation as a whole and in tiles, over sizes of the picture.

    python -m experiments.bench.tiling --sizes 512 1024 2048 4096 --tiles 0 384 512 [--network vgg19]
        [--weights VGG19_WEIGHTS] [--backend auto] [--precision float32] [--octaves 4] [--repeats 5]

An evaluation is the value and the gradient of the Gram terms at pool1 and conv3_2 (Snelgrove 2017) with circular
padding. Each row is a process of its own, so that its peak is that of this case alone. The script prints a Markdown
table: medians of the seconds, seconds per megapixel, and the peak of the process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from texjax import features, losses, types
from texjax.runs import machine
from texjax.synthesis import objective, steps

LAYERS = {"pool1": 1.0, "conv3_2": 1.0}


def evaluate(args: argparse.Namespace) -> None:
    """Time the evaluations of one case, and print their seconds and the peak in MiB as JSON."""
    settings = dict(padding="circular", backend=args.backend, precision=args.precision)
    extractor = features.vgg19(args.weights, **settings) if args.network == "vgg19" else features.compact(**settings)
    term = types.Term("gram", losses.gram(), 1.0, LAYERS)
    (size,), (tile,) = args.sizes, args.tiles
    problem = objective.objective(extractor, [term], args.octaves, "circular", tile=tile)
    source = jnp.asarray(np.random.default_rng(1).random((256, 256, 3)), jnp.float32)
    targets = problem.join([steps.compiled(problem.summarize)(extractor.weights, source)])
    run = steps.compiled(
        lambda images, *arguments: jax.value_and_grad(problem.value, has_aux=True)(images, *arguments)[1]
    )
    images = jnp.asarray(np.random.default_rng(0).random((1, size, size, 3), np.float32))
    seconds = []
    for _ in range(args.repeats + 1):
        begin = time.perf_counter()
        jax.block_until_ready(run(images, extractor.weights, targets))
        seconds.append(time.perf_counter() - begin)
    print(json.dumps([seconds[1:], machine.peak_memory() / 2**20]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--tiles", type=int, nargs="+", default=[0, 512])
    parser.add_argument("--network", choices=("compact", "vgg19"), default="compact")
    parser.add_argument("--weights", default="")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", action="store_true", help="evaluate one case in this process")
    args = parser.parse_args()
    if args.one:
        return evaluate(args)
    print("| px | tile | seconds | seconds per megapixel | peak, MiB |")
    print("| --- | --- | --- | --- | --- |")
    names = ("network", "weights", "backend", "precision", "octaves", "repeats")
    common = [f"--{name}={getattr(args, name)}" for name in names]
    for size in args.sizes:
        for tile in args.tiles:
            command = [sys.executable, "-m", "experiments.bench.tiling", "--one", *common]
            process = subprocess.run([*command, f"--sizes={size}", f"--tiles={tile}"], capture_output=True, text=True)
            if process.returncode:
                reason = [*process.stderr.splitlines(), f"exit code {process.returncode}"][-1]
                print(f"| {size} | {tile or 'none'} | failed: {reason[:80]} | | |", flush=True)
                continue
            seconds, peak = json.loads(process.stdout)
            median = statistics.median(seconds)
            pace = median / size**2 * 1e6
            print(f"| {size} | {tile or 'none'} | {median:.3g} | {pace:.3g} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
