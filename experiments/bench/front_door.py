"""What the command adds to `texjax.synthesize`: the same run from an array, and through files into a run directory.

    python experiments/bench/front_door.py [--size 128] [--octaves 3] [--iterations 60] [--repeats 5]

Both run config `texture` at full size only, from the same source, an array that is drawn once and is also saved as a
picture. `texjax.synthesize` returns an array. The command's loop, `runs.run.synthesize`, reads the source, writes
metrics and progress pictures after every ten iterations, and writes the result, into a temporary directory. Programs
are compiled beforehand, and both take turns in one process. The script prints a Markdown table of the medians.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import texjax
from experiments import exemplars
from texjax import config as configs
from texjax import images
from texjax.runs import records, run


def timed(function):
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--octaves", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    words = [f"--config.size=({args.size}, {args.size})", f"--config.octaves={args.octaves}"]
    words += [f"--config.max_iter={args.iterations}", "--config.schedule.steps=()", "--config.tol=0.0"]
    config, source = configs.load("texture", words), exemplars.pebbles(args.size)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "source.png")
        images.save(path, source)

        def command() -> None:
            with tempfile.TemporaryDirectory() as directory:
                run.synthesize(config, {"sources": [path]}, lambda parts: records.exact(Path(directory, "run")))

        calls = {"texjax.synthesize": lambda: texjax.synthesize(source, config=config), "command's loop": command}
        for call in calls.values():
            call()
        repeats = [{name: timed(call) for name, call in calls.items()} for _ in range(args.repeats)]
    medians = {name: statistics.median(times[name] for times in repeats) for name in calls}
    print(f"{args.size} px, {args.octaves} octaves, {args.iterations} iterations, {args.repeats} repeats\n")
    print("| what | seconds | over texjax.synthesize |\n| --- | --- | --- |")
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / medians['texjax.synthesize']:.3f} |")


if __name__ == "__main__":
    main()
