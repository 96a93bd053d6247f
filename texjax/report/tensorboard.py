"""Write the metrics and pictures of runs for TensorBoard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from texjax import errors, images
from texjax.runs import archive


def write(runs: Sequence[tuple[str, archive.Run]], folder: Path) -> None:
    """Write event files into folder/NAME for each pair of a name and a run.

    Raises:
        TexjaxError: If tensorboardX is not installed.
        EnvironmentFault: If the folder cannot be written.
    """
    try:
        import tensorboardX
    except ImportError as error:
        raise errors.TexjaxError("--tensorboard needs tensorboardX; pip install 'texjax[tb]'.") from error
    for name, run in runs:
        try:
            writer = tensorboardX.SummaryWriter(str(folder / name))
        except OSError as error:
            raise errors.EnvironmentFault(
                f"cannot write {folder / name} ({error.strerror}); choose another folder."
            ) from error
        with writer:
            _write_run(writer, run)


def _write_run(writer: Any, run: archive.Run) -> None:
    lines = archive.metrics(run.directory)
    for line in lines:
        scalars = {"loss": line["loss"]} | {f"terms/{name}": value for name, value in line.get("terms", {}).items()}
        for tag, value in scalars.items():
            writer.add_scalar(tag, float(np.mean(value)), line["step"])
    for name, value in archive.measures(run.directory).items():
        writer.add_scalar(f"measures/{name}", value, 0)
    last_step = lines[-1]["step"] if lines else 0
    for path in archive.pictures(run.directory):
        writer.add_image(path.stem, images.load(path), last_step, dataformats="HWC")
    if run.swept:
        writer.add_text("swept", "\n".join(f"    {key}: {value}" for key, value in run.swept.items()), 0)
