"""What checkpoints cost: runs with and without them, in turn, in one process.

    python -m experiments.bench.checkpoints PICTURE [--size 512] [--every 5] [--repeats 3] [--config texture]

Prints the medians of the seconds that a run takes without checkpoints and with one every so many seconds, how many
there were, what one of them costs, and the share of a run that this is with one a minute.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from texjax import config as configs
from texjax.runs import checkpoints, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--config", default="texture")
    args = parser.parse_args()
    config = configs.overridden(configs.load(args.config), {"size": (args.size, args.size), "tol": 0.0})
    _seconds(configs.overridden(config, {"max_iter": 1, "schedule.steps": ()}), args.picture)  # compiles
    without, with_them, durations = [], [], []
    for _ in range(args.repeats):
        without.append(_seconds(configs.overridden(config, {"checkpoint_every": 0.0}), args.picture)[0])
        seconds, saved = _seconds(configs.overridden(config, {"checkpoint_every": args.every}), args.picture)
        with_them.append(seconds)
        durations += saved
    cost = statistics.median(durations)
    plain, saving = statistics.median(without), statistics.median(with_them)
    count = len(durations) / args.repeats
    print(
        f"{args.config}, {args.size} px: {plain:.1f} s without, {saving:.1f} s with {count:.0f} checkpoints "
        f"(ratio {saving / plain:.3f}); {cost:.2f} s each, which is "
        f"{cost / max(config.checkpoint_every, checkpoints.SHARE * cost):.1%} with one a minute"
    )


def _seconds(config: configs.Config, picture: Path) -> tuple[float, list[float]]:
    """The seconds of a run from its first iterate to its last, and those of each of its checkpoints."""
    times: list[float] = []
    durations: list[float] = []
    original = checkpoints.Checkpoints._write

    def timed(points: checkpoints.Checkpoints, now: object) -> None:
        begin = time.perf_counter()
        original(points, now)
        durations.append(time.perf_counter() - begin)

    checkpoints.Checkpoints._write = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            run.synthesize(
                config,
                {"sources": [picture]},
                lambda parts: Path(folder),
                lambda now: times.append(time.perf_counter()),
            )
    finally:
        checkpoints.Checkpoints._write = original
    return times[-1] - times[0], durations[:-1] if durations else []  # the last one is of the images alone


if __name__ == "__main__":
    main()
