"""Run all configs, small, again and again in one process: memory and open files have to stay as they are.

    python -m experiments.soak PICTURE [--minutes 30] [--weights VGG19_FILE]

Prints a line after each round through all configs: runs so far, the resident memory, and the number of open files.
Configs that need VGG-19 are left out without its weights.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

import psutil

from texjax import config as configs
from texjax import errors
from texjax.runs import run
from texjax.synthesis import heap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore", errors.TexjaxWarning)
    end, process, runs = time.monotonic() + 60 * args.minutes, psutil.Process(), 0
    print("| minutes | runs | MiB | open files |\n| --- | --- | --- | --- |", flush=True)
    while time.monotonic() < end:
        for name in configs.names():
            if _ran(name, args.picture, args.weights):
                runs += 1
        heap.trim()
        minutes = args.minutes - (end - time.monotonic()) / 60
        files = len(os.listdir("/proc/self/fd"))
        print(f"| {minutes:.1f} | {runs} | {process.memory_info().rss >> 20} | {files} |", flush=True)


def _ran(name: str, picture: Path, weights: Path | None) -> bool:
    """Make a run of the config's small variant; whether its weights are there."""
    config = configs.load(f"{name}:tiny")
    if config.features.name == "vgg19":
        if weights is None:
            return False
        config = configs.overridden(config, {"features.weights": str(weights)})
    groups = {term.group for term in config.terms.values() if term.weight}
    pictures = {"sources": [picture]}
    if "content" in groups or "analogy" in groups:
        pictures["content"] = [picture]
    if "analogy" in groups:
        pictures["analogy"] = [picture] * 3
    with tempfile.TemporaryDirectory() as folder:
        run.synthesize(config, pictures, lambda parts: Path(folder))
    return True


if __name__ == "__main__":
    main()
