"""What a sweep adds to its runs: the serial engine, in one process, against a bare loop over `run.synthesize`.

    python experiments/bench/sweeping.py SOURCE [--config random:tiny] [--runs 8] [--repeats 5] [KEY=VALUE ...]

Programs are compiled beforehand, and both make the same pictures, in turns. All that a sweep does counts: declaring its
runs, locking, records, looking at what there is, and the batches.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from texjax import config as configs
from texjax.runs import records, run
from texjax.sweeps import engines, entries, sweep
from texjax.sweeps.engines import contract

SWEEP = """
from texjax import config

def get_config(arg=None):
    return config.load({config!r}, {overrides!r})

def sweep(add):
    for seed in range({runs}):
        add(seed=seed)
"""


def bare(configurations, source, folder):
    for seed, config in enumerate(configurations):
        run.synthesize(config, [source], lambda made, to=folder / str(seed): records.exact(to))


def swept(spec, source, folder):
    made = sweep.Sweep(folder, spec, entries.declared(entries.Given(spec, (), [str(source)])))
    found = sweep.execute(made, engines.serial, contract.Resources(1, folder))
    assert {one.status for one in found.values()} <= {"finished", "converged"}


def timed(function, *args):
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        function(*args, Path(folder))
        return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--config", default="random:tiny")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    overrides = [f"--config.{word}" for word in args.overrides]
    base = configs.load(args.config, overrides)
    configurations = [configs.overridden(base, {"seed": seed}) for seed in range(args.runs)]
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "swept.py")
        spec.write_text(SWEEP.format(config=args.config, overrides=overrides, runs=args.runs))
        timed(bare, configurations[:1], args.source)
        pairs = [
            (timed(bare, configurations, args.source), timed(swept, str(spec), args.source))
            for _ in range(args.repeats)
        ]
    alone, within = (statistics.median(found) for found in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{args.config} {' '.join(args.overrides)}, {args.runs} runs, {args.repeats} repeats\n")
    print("| | s per run | over bare |\n|---|---|---|")
    print(f"| bare loop | {alone / args.runs:.4f} | 1 |")
    print(f"| sweep | {within / args.runs:.4f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
