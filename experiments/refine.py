"""What it saves to start a synthesis from a generator's picture: the loss over time, from three starts.

    python experiments/refine.py NETWORK SOURCE [--size 256] [--iterations 120] [--seeds 3]

"coarse to fine" is config `texture` as it is, "random phase" the same in one stage at full size, and "generated" starts
from a picture of the network, which is made anew for each seed. The table has medians over the seeds of the seconds,
without compiling, until the loss is that of "coarse to fine" at its end, and until it is one and a half times that.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import texjax
from texjax.runs import programs

FACTORS = (1.5, 1.0)


def curve(source: Any, size: int, seed: int, **keys: Any) -> list[tuple[float, float]]:
    """Return (seconds, loss) of every iterate at full size; the first of them has taken what came before."""
    points, seconds = [], 0.0
    for now in texjax.iterate(source, size=(size, size), seed=seed, save_every=5, **keys):
        seconds += now.seconds
        if now.images.shape[-2] == size:
            points.append((seconds, now.loss))
    return points


def until(points: list[tuple[float, float]], loss: float) -> float:
    """Return the seconds until the loss is reached, or infinity."""
    return next((seconds for seconds, value in points if value <= loss), float("inf"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    programs.keep()
    source = texjax.images.load(args.source)
    common = {"max_iter": args.iterations}
    starts: dict[str, dict[str, Any]] = {
        "coarse to fine": common,
        "random phase": {**common, "schedule.steps": ()},
        "generated": {**common, "schedule.steps": (), "init": {"name": "picture", "path": str(args.network)}},
    }
    for keys in starts.values():  # compiles everything
        curve(source, args.size, 0, **{**keys, "max_iter": 5})
    times: dict[str, list[list[float]]] = {name: [] for name in starts}
    for seed in range(args.seeds):
        curves = {name: curve(source, args.size, seed, **keys) for name, keys in starts.items()}
        last = curves["coarse to fine"][-1][1]
        for name, points in curves.items():
            times[name].append([points[0][1] / last, *(until(points, factor * last) for factor in FACTORS)])
    print("| start | first loss at full size | seconds to 1.5 x | seconds to 1 x |\n| --- | --- | --- | --- |")
    for name, rows in times.items():
        print(f"| {name} | {' | '.join(f'{value:.3g}' for value in np.median(rows, axis=0))} |")


if __name__ == "__main__":
    main()
