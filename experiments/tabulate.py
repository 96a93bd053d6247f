"""Tables from the runs of a sweep: a row for each combination of what was swept, means over seeds and sources.

    python experiments/tabulate.py SWEEP_DIR [--by KEY...] [--over KEY...] [--measures NAME...] [--csv FILE]
        [--network compact|vgg19] [--weights FILE] [--octaves N]

Prints Markdown: the swept keys but those averaged over, the number of runs, and of these seconds and `texjax.measures`
against the sources, mean ± sample standard deviation. What is not in the numbers is named on stderr: runs that failed
or have not ended, and measures that could not be taken. One network takes all Gram errors, anew at every call; the
other measures are kept in the run directories.

`--measures loss` shows the last loss. Losses of different recipes are in different units: compare only those of runs
that optimized the same terms.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from texjax import errors, features, measures
from texjax.cli import measure
from texjax.runs import archive, measured

Values = dict[str, float]


class Row(NamedTuple):
    """What its runs have for the keys, their number, and of each column mean and spread, as far as there are any."""

    cells: tuple[str, ...]
    runs: int
    columns: list[list[float]]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = made.add_argument
    add("directory", type=Path, help="of a sweep")
    add("--by", nargs="+", metavar="KEY", help="keys of the rows, swept or not; all others are averaged over")
    add("--over", nargs="+", default=["seed", "source"], metavar="KEY", help="swept keys to average over")
    add("--measures", nargs="+", default=["seconds", *measures.MEANINGS], metavar="NAME", help="the columns")
    add("--csv", type=Path, metavar="FILE", help="to write means and spreads to")
    add("--network", choices=("compact", "vgg19"), help="of the Gram errors; vgg19 where --weights is given")
    add("--weights", default="", metavar="FILE", help="of the network")
    add("--octaves", type=int, default=3, help="of the Gram errors, at most: as many as fit")
    return made


def text(value: Any) -> str:
    """Of a cell; a group of a config as key=value."""
    return ", ".join(f"{key}={text(own)}" for key, own in value.items()) if isinstance(value, dict) else str(value)


def cells(run: archive.Run, keys: Sequence[str]) -> tuple[str, ...]:
    """What a run has for the keys; one that only other runs sweep it may have from its config."""
    known = archive.flat(run.config) | run.swept
    return tuple(text(known.get(key, "")) for key in keys)


def values(run: archive.Run, columns: Sequence[str], extractor: Any, octaves: int) -> Values:
    """Whatever of the columns can be had. Raises TexjaxError where a picture cannot be read."""
    found = measured.of_run(run) | {"seconds": run.record["seconds"]}
    lines = archive.metrics(run.directory)
    if lines:
        found["loss"] = float(np.mean(lines[-1]["loss"]))  # of several outputs, each has one
    if any(column.startswith("gram_error") for column in columns):
        found |= measured.gram_errors(run, extractor, measure.LAYERS, octaves)
    return {column: found[column] for column in columns if column in found}


def summary(numbers: Sequence[float]) -> list[float]:
    """Mean and sample standard deviation, which one number has not; [] of none."""
    return [function(numbers) for function in (statistics.mean, statistics.stdev)[: len(numbers)]]


def table(runs: Sequence[archive.Run], args: argparse.Namespace, keys: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows, and sentences on what is not in them."""
    rows, wrong = dict[tuple[str, ...], list[Values]](), []
    network = args.network or ("vgg19" if args.weights else "compact")
    extractor = getattr(features, network)(weights=args.weights)
    for run in runs:
        try:
            if run.status not in archive.ENDED:
                raise errors.TexjaxError(f"{run.directory} is {run.status}: {run.record.get('error', 'no result.')}")
            found = values(run, args.measures, extractor, args.octaves)
        except errors.TexjaxError as error:
            wrong.append(str(error))
            continue
        wrong += [f"{run.directory} has no {name}." for name in args.measures if name not in found]
        rows.setdefault(cells(run, keys), []).append(found)
    columns = {key: [[own[name] for own in of if name in own] for name in args.measures] for key, of in rows.items()}
    return [Row(key, len(rows[key]), list(map(summary, found))) for key, found in columns.items()], wrong


def write(path: Path, keys: Sequence[str], names: Sequence[str], rows: Sequence[Row]) -> None:
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*keys, "runs", *(column for name in names for column in (name, f"{name} spread"))])
        out.writerows(
            [*row.cells, row.runs, *(n for found in row.columns for n in (*found, "", "")[:2])] for row in rows
        )


def main(arguments: Sequence[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    runs, wrong = archive.runs(args.directory)
    keys = args.by or list(dict.fromkeys(key for run in runs for key in run.swept if key not in args.over))
    rows, missing = table(runs, args, keys)
    lines = [[*keys, "runs", *args.measures], ["---"] * (len(keys) + 1 + len(args.measures))]
    lines += [[*row.cells, str(row.runs), *(" ± ".join(f"{n:.3g}" for n in c) for c in row.columns)] for row in rows]
    for line in lines:
        print(f"| {' | '.join(line)} |")
    if args.csv:
        write(args.csv, keys, args.measures, rows)
    for sentence in wrong + missing:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
