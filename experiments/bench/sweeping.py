"""What a sweep adds to its runs: the serial engine, in one process, against a bare loop over `run.synthesize`.

    python experiments/bench/sweeping.py SOURCE [--config random:tiny] [--runs 8] [--repeats 5] [KEY=VALUE ...]

Programs are compiled beforehand, both loops make the same pictures, and they take turns. Everything that a sweep does
counts: declaring its runs, locking, writing and reading records, and forming batches. The script prints a Markdown
table.
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


def bare(runs, source, folder):
    """Make the runs in a plain loop."""
    for seed, config in enumerate(runs):
        run.synthesize(config, {"sources": [source]}, lambda parts, to=folder / str(seed): records.exact(to))


def swept(spec, source, folder):
    """Make the runs as a sweep."""
    declared = entries.declared(entries.Request(spec, (), [str(source)]))
    runs = sweep.execute(sweep.Sweep(folder, spec, declared), engines.serial, contract.Resources(1, folder))
    assert {ended.status for ended in runs.values()} <= {"finished", "converged"}


def timed(function, *args):
    """Return the seconds that a call takes with a fresh folder."""
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
    runs = [configs.overridden(base, {"seed": seed}) for seed in range(args.runs)]
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "swept.py")
        spec.write_text(SWEEP.format(config=args.config, overrides=overrides, runs=args.runs))
        timed(bare, runs[:1], args.source)
        pairs = [(timed(bare, runs, args.source), timed(swept, str(spec), args.source)) for _ in range(args.repeats)]
    bare_median, swept_median = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    ratio = statistics.median(swept_seconds / bare_seconds for bare_seconds, swept_seconds in pairs)
    print(f"{args.config} {' '.join(args.overrides)}, {args.runs} runs, {args.repeats} repeats\n")
    print("| | s per run | over bare |\n|---|---|---|")
    print(f"| bare loop | {bare_median / args.runs:.4f} | 1 |")
    print(f"| sweep | {swept_median / args.runs:.4f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
