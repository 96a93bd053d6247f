"""Tables from the runs of a sweep: a row for each combination of what was swept, means over seeds and sources.

    python experiments/tabulate.py SWEEP_DIR [--by KEY...] [--over KEY...] [--measures NAME...] [--csv FILE]
        [--network compact|vgg19] [--weights FILE] [--layers NAME...] [--octaves N]

The script prints a Markdown table. Its columns are the swept keys except those averaged over, the number of runs, and
of these runs the seconds and the `texjax.measures` against the sources, each as mean ± sample standard deviation. What
is missing in the numbers is named on standard error: runs that failed or have not ended, and measures that could not be
taken. One network takes all Gram errors, and takes them anew at every call, while the other measures are kept in the
run directories.

`--measures loss` shows the last loss. Losses of different recipes are in different units, so only those of runs that
optimized the same terms can be compared.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from texjax import errors, features, measures, types
from texjax.cli import measure
from texjax.runs import archive, measured

Values = dict[str, float]


class Row(NamedTuple):
    """A row of the table.

    cells: what its runs have for the keys. runs: their number. columns: for each column the mean and the standard
    deviation, of which one run has no deviation, and no run has either.
    """

    cells: tuple[str, ...]
    runs: int
    columns: list[list[float]]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("directory", type=Path, help="sweep directory")
    add("--by", nargs="+", metavar="KEY", help="keys of the rows, swept or not; the table averages over all others")
    add("--over", nargs="+", default=["seed", "source"], metavar="KEY", help="swept keys to average over")
    add("--measures", nargs="+", default=["seconds", *measures.MEANINGS], metavar="NAME", help="the columns")
    add("--csv", type=Path, metavar="FILE", help="file to write means and deviations to")
    add("--network", choices=("compact", "vgg19"), help="network of the Gram errors; vgg19 where --weights is given")
    add("--weights", default="", metavar="FILE", help="weight file of the network")
    add("--layers", nargs="+", default=measure.LAYERS, metavar="NAME", help="layers of the Gram errors")
    add("--octaves", type=int, default=3, help="octaves of the Gram errors, or as many of them as fit")
    return parser


def text(value: Any) -> str:
    """Return the text of a cell; a group of a config is written as key=value, key=value."""
    return ", ".join(f"{key}={text(entry)}" for key, entry in value.items()) if isinstance(value, dict) else str(value)


def row_keys(runs: Sequence[archive.Run], over: Sequence[str]) -> list[str]:
    """Return the swept keys without those to average over."""
    return list(dict.fromkeys(key for run in runs for key in run.swept if key not in over))


def cells(run: archive.Run, keys: Sequence[str]) -> tuple[str, ...]:
    """Return what a run has for the keys; a key that only other runs sweep comes from its config."""
    known = archive.flat(run.config) | run.swept
    return tuple(text(known.get(key, "")) for key in keys)


def values(run: archive.Run, args: argparse.Namespace, extractor: types.Extractor) -> Values:
    """Return those of the columns that the run has. Raises TexjaxError where a picture cannot be read."""
    available = measured.of_run(run) | {"seconds": run.record["seconds"]}
    lines = archive.metrics(run.directory)
    if lines:
        available["loss"] = float(np.mean(lines[-1]["loss"]))  # a list where there are several outputs
    if any(column.startswith("gram_error") for column in args.measures):
        available |= measured.gram_errors(run, extractor, args.layers, args.octaves)
    return {column: available[column] for column in args.measures if column in available}


def summary(numbers: Sequence[float]) -> list[float]:
    """Return the mean and the sample standard deviation, of one number the mean alone, and of none nothing."""
    return [function(numbers) for function in (statistics.mean, statistics.stdev)[: len(numbers)]]


def table(runs: Sequence[archive.Run], args: argparse.Namespace, keys: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the rows, and sentences about what is missing in them."""
    values_by_cells, missing = dict[tuple[str, ...], list[Values]](), []
    network = args.network or ("vgg19" if args.weights else "compact")
    extractor = getattr(features, network)(weights=args.weights)
    for run in runs:
        try:
            if run.status not in archive.ENDED:
                raise errors.TexjaxError(f"{run.directory} is {run.status}: {run.record.get('error', 'no result.')}")
            of_run = values(run, args, extractor)
        except errors.TexjaxError as error:
            missing.append(str(error))
            continue
        missing += [f"{run.directory} has no {name}." for name in args.measures if name not in of_run]
        values_by_cells.setdefault(cells(run, keys), []).append(of_run)
    rows = [
        Row(
            row, len(of_row), [summary([of_run[name] for of_run in of_row if name in of_run]) for name in args.measures]
        )
        for row, of_row in values_by_cells.items()
    ]
    return rows, missing


def write(path: Path, keys: Sequence[str], names: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the table as CSV, with empty fields where there is no number."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*keys, "runs", *(column for name in names for column in (name, f"{name} spread"))])
        for row in rows:
            out.writerow([*row.cells, row.runs, *(n for column in row.columns for n in (*column, "", "")[:2])])


def main(arguments: Sequence[str] | None = None) -> None:
    args = parser().parse_args(arguments)
    runs, damaged = archive.runs(args.directory)
    keys = args.by or row_keys(runs, args.over)
    rows, missing = table(runs, args, keys)
    lines = [[*keys, "runs", *args.measures], ["---"] * (len(keys) + 1 + len(args.measures))]
    lines += [[*row.cells, str(row.runs), *(" ± ".join(f"{n:.3g}" for n in c) for c in row.columns)] for row in rows]
    for line in lines:
        print(f"| {' | '.join(line)} |")
    if args.csv:
        write(args.csv, keys, args.measures, rows)
    for sentence in damaged + missing:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
