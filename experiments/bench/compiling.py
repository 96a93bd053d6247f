"""What a run spends before its first step: a first run, and a second one that finds the compilation cache filled.

    python experiments/bench/compiling.py WEIGHTS.h5 [--size 256] [--octaves 4] [--repeats 3]

Each run is a process of its own with a cache folder of its own. "Before the loop" is everything after the pictures and
the network are loaded: tracing, compiling and running the targets and the first evaluation. "Backend" is XLA's share of
it. The script prints a Markdown table.
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
import jax
from texjax import config as configs
from texjax.runs import programs
from texjax.synthesis import build, optimize
seconds = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, s, **_: seconds.append(s) if name == "/jax/core/compile/backend_compile_duration" else None)
programs.keep()
config = configs.load("snelgrove", json.loads(sys.argv[1]))
build.parts(config)
source = jax.random.uniform(jax.random.key(0), (config.size[1], config.size[0], 3))
jax.block_until_ready((optimize.start(config, {"sources": [source]}), source))
seconds.clear()
begin = time.perf_counter()
next(optimize.prepare(config, {"sources": [source]}).iterates)
print(json.dumps([time.perf_counter() - begin, sum(seconds)]))
"""


def child(words, cache):
    """Return the seconds before the loop, and XLA's share of them, of a run in a process of its own."""
    environment = {**os.environ, "TEXJAX_COMPILATION_CACHE": cache}
    command = [sys.executable, "-c", CHILD, json.dumps(words)]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


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
    words = [f"--config.{key}={value}" for key, value in pairs.items()]
    repeats = []
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as cache:
            repeats.append([child(words, cache), child(words, cache)])
    print(f"{args.size} px, {args.octaves} octaves, {args.padding}\n")
    print("| run | before the loop, s | backend, s |\n|---|---|---|")
    for position, label in enumerate(("first", "second")):
        total, backend = (statistics.median(runs[position][i] for runs in repeats) for i in (0, 1))
        print(f"| {label} | {total:.2f} | {backend:.2f} |")


if __name__ == "__main__":
    main()
