"""A contact sheet of a sweep: a row for each source, with the source and a picture for each combination of swept keys.

    python experiments/contact_sheet.py SWEEP_DIR FILE [--by KEY...] [--over KEY...] [--corners]

Of several runs in one place, which differ in keys of --over only, the sheet shows the first. With --corners it shows,
instead of each picture, the middle of the picture repeated 2 x 2, where the four copies meet, and leaves the sources
out. The script prints what the columns are. Runs that have no result are named on standard error; their places stay
black.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import ml_collections
import numpy as np

from experiments import ablation, tabulate
from texjax import errors, images
from texjax.runs import archive, inputs

EMPTY = np.zeros((1, 1, 3), np.float32)  # where no run has a result
Row = dict[tuple[str, ...], archive.Run]  # what the runs of a column have for the keys -> the run


def corner(picture: np.ndarray) -> np.ndarray:
    """Return, as large as the picture, what is seen where four copies of it meet."""
    height, width = picture.shape[:2]
    return np.roll(picture, (height // 2, width // 2), (0, 1))


def source(run: archive.Run) -> np.ndarray:
    """Return the first source of a run, as large as the run saw it."""
    image = images.load(archive.picture_paths(run.record, "sources")[0])
    return inputs.fit(ml_collections.ConfigDict(run.config), "sources", 0, image)


def result(run: archive.Run) -> np.ndarray:
    """Return the first picture that a run made."""
    return images.load(archive.pictures(run.directory)[0])


def rows_of(runs: Sequence[archive.Run], keys: Sequence[str]) -> list[Row]:
    """Return the first run for each combination of pictures, which make the rows, and of keys."""
    rows: dict[tuple[Path, ...], Row] = {}
    for run in runs:
        pictures = [path for group in ("sources", "content") for path in archive.picture_paths(run.record, group)]
        rows.setdefault(tuple(pictures), {}).setdefault(tabulate.cells(run, keys), run)
    return list(rows.values())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="sweep directory")
    parser.add_argument("file", type=Path, help="picture to write")
    parser.add_argument("--by", nargs="+", metavar="KEY", help="keys of the columns, swept or not")
    parser.add_argument(
        "--over", nargs="+", default=["seed", "source"], metavar="KEY", help="swept keys without columns"
    )
    parser.add_argument("--corners", action="store_true", help="show where four copies of each picture meet")
    args = parser.parse_args(arguments)
    runs, damaged = archive.runs(args.directory)
    keys = args.by or tabulate.row_keys(runs, args.over)
    ended = [run for run in runs if run.status in archive.ENDED]
    if not ended:
        raise errors.TexjaxError(f"no run of {args.directory} has a result; wait until one has ended.")
    rows = rows_of(ended, keys)
    columns = list(dict.fromkeys(tabulate.cells(run, keys) for run in runs))
    lines = []
    for row in rows:
        results = [result(row[column]) if column in row else EMPTY for column in columns]
        first = source(next(iter(row.values())))
        lines.append([corner(picture) for picture in results] if args.corners else [first, *results])
    ablation.sheet(args.file, lines, result(ended[0]).shape[:2])
    for number, column in enumerate(columns, start=1):
        print(f"{number}. {'; '.join(f'{key}: {cell}' for key, cell in zip(keys, column, strict=True))}")
    for sentence in [*damaged, *(f"{run.directory} is {run.status}." for run in runs if run not in ended)]:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
