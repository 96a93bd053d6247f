"""How near `--dry-run` comes to the memory and the time of the run that it announces.

    python experiments/bench/plan.py IMAGE [--weights vgg19.h5] [--only texture] [--repeats 1]

Each case is the command in a process of its own, with `--dry-run`, without, and with it again, and nothing that another
process has compiled. The time said is the mean of both plans. The memory taken is the peak of the resident set, and the
time taken is the wall time of the process. A photograph of 24 megapixels is made by enlarging IMAGE. Some cases take
fewer steps than their config has, as time per step is constant. Times depend on what else the machine does at that
moment, which the estimate follows by timing an evaluation and a product of matrices.

The script prints a Markdown table.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

COMMAND = [sys.executable, "-c", "from texjax.cli import main; main.main()"]
ENLARGE = """
import sys
from texjax import images
image = images.load(sys.argv[1])
images.save(sys.argv[2], images.resize(image, scale=(24e6 / image[..., 0].size) ** 0.5))
"""
VGG = "--config.features.weights={weights}"
CASES = {  # name -> words
    "texture, 128 px, all steps": "synthesize {image} -ow 128",
    "texture, 256 px": "synthesize {image} -ow 256 -m 40 --config.schedule.steps=(20,20)",
    "texture, 512 px": "synthesize {image} -ow 512 -m 20 --config.schedule.steps=(10,10)",
    "texture, 128 px, source of 24 megapixels": "synthesize {large} -ow 128 -m 30 --config.schedule.steps=(10,10)",
    "texture:network=vgg19, 192 px": f"synthesize {{image}} -ow 192 -m 20 --config texture:network=vgg19 {VGG} "
    "--config.schedule.steps=(10,10) -sw 300",
    "snelgrove, 288 px": f"synthesize {{image}} -ow 288 -m 20 --config snelgrove {VGG} -sw 300",
    "gatys_texture:network=compact, 128 px, all steps": "synthesize {image} -ow 128 -sw 200 "
    "--config gatys_texture:network=compact",
    "cnnmrf:network=compact, 128 px, all steps": "synthesize {image} -ow 128 --config cnnmrf:network=compact",
    "transfer, multiscale_style, 256 px": "transfer {image} {image} --max-size 256 -m 40",
    "analogy, compact, 192 px": "analogy {image} {image} {image} --max-size 192 -m 20 --config.schedule.steps=(10,)",
    "random, 128 px, 3 outputs, map": "synthesize {image} -ow 128 -m 40 -c 3 --config random",
    "texture, 128 px, 4 outputs, vmap, all steps": "synthesize {image} -ow 128 -c 4 --config.batch_mode=vmap",
    "animation, 128 px": "synthesize {image} -ow 128 -m 20 --config animation",
}


class Outcome(NamedTuple):
    """What a process has printed, its wall time in seconds, and the peak of its resident set in MiB."""

    text: str
    seconds: float
    memory: float


def call(words: list[str]) -> Outcome:
    """Run the command and measure its process."""
    environment = {**os.environ, "TEXJAX_COMPILATION_CACHE": "0", "COLUMNS": "200"}
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen([*COMMAND, *words], stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = status
        output.seek(0)
        text = output.read().decode()
    if status:
        raise SystemExit(f"{' '.join(words)}:\n{text}")
    return Outcome(text, seconds, usage.ru_maxrss / 1024)


def number(text: str, what: str) -> float:
    """Return the first number of a row of a plan."""
    found = re.search(rf"^{what}, about +([\d,]+) ", text, re.MULTILINE)
    assert found, text
    return float(found[1].replace(",", ""))


def row(name: str, words: list[str]) -> str:
    """Run a case between two plans, and return its row of the table."""
    plan = call([*words, "--dry-run"])
    with tempfile.TemporaryDirectory() as directory:
        run = call([*words, "--config.tol=0", "--run-dir", f"{directory}/run"])
    memory = number(plan.text, "memory")
    seconds = statistics.mean(number(text, "time") for text in (plan.text, call([*words, "--dry-run"]).text))
    return (
        f"| {name} | {memory:,.0f} | {run.memory:,.0f} | {memory / run.memory:.2f} | {seconds:.0f} | {run.seconds:.0f} "
        f"| {seconds / run.seconds:.2f} | {plan.seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--weights", type=Path, help="of VGG-19; without them its cases are left out")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    print("| case | MiB said | taken | ratio | seconds said | taken | ratio | of `--dry-run` |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large.jpg")
        # In a process of its own, as a child begins with the peak of its parent.
        subprocess.run([sys.executable, "-c", ENLARGE, args.image, large], check=True)
        for name, text in CASES.items():
            if args.only in name and (args.weights or "{weights}" not in text):
                words = text.format(image=args.image, large=large, weights=args.weights).split()
                for _ in range(args.repeats):
                    print(row(name, words), flush=True)


if __name__ == "__main__":
    main()
