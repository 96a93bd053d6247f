"""What a run spends before its first step: a first run, and a second one that finds the compilation cache filled.

    python experiments/bench/compiling.py WEIGHTS.h5 [--size 256] [--octaves 4] [--repeats 3]

Each run is a process of its own with a cache folder of its own; "before the loop" is everything from the loaded
pictures on: tracing, compiling and running the targets and the first evaluation. "backend" is XLA's share of it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

CHILD = """
import json, sys, time
import jax, jax.numpy as jnp
from texjax.synthesis import build, loop
from texjax import config
from texjax.runs import programs, run
seconds = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, s, **_: seconds.append(s) if name == "/jax/core/compile/backend_compile_duration" else None)
programs.keep()
settings = config.load("snelgrove", json.loads(sys.argv[1]))
made = build.parts(settings)
source = jax.random.uniform(jax.random.key(0), (settings.size[1], settings.size[0], 3))
images = run.start(settings, [source])
jax.block_until_ready((images, source))
seconds.clear()
begin = time.perf_counter()
args = (made.extractor.weights, run.targets(made, [source]))
next(loop.iterate(made.advance, made.minimizer, images, args, max_iter=1, save_every=settings.save_every))
print(json.dumps([time.perf_counter() - begin, sum(seconds)]))
"""


def child(settings, cache):
    """Seconds before the loop, and XLA's share, of a run in a process of its own."""
    environment = {**os.environ, "TEXJAX_COMPILATION_CACHE": cache}
    words = [sys.executable, "-c", CHILD, json.dumps(settings)]
    return json.loads(subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--octaves", type=int, default=4)
    parser.add_argument("--padding", default="circular")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    pairs = {
        "features.weights": args.weights,
        "features.padding": args.padding,
        "pyramid.padding": args.padding,
        "octaves": args.octaves,
        "size": f"({args.size},{args.size})",
    }
    settings = [f"--config.{key}={value}" for key, value in pairs.items()]
    found = []
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as cache:
            found.append([child(settings, cache), child(settings, cache)])
    print(f"{args.size} px, {args.octaves} octaves, {args.padding}\n")
    print("| run | before the loop, s | backend, s |\n|---|---|---|")
    for which, label in enumerate(("first", "second")):
        total, backend = (statistics.median(runs[which][i] for runs in found) for i in (0, 1))
        print(f"| {label} | {total:.2f} | {backend:.2f} |")


if __name__ == "__main__":
    main()
