"""The notebooks: they run from start to end, and are committed as they ran, small and without traces of a machine."""

import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("experiments/notebooks/*.ipynb"))
# Paths of a machine: absolute ones of at least two parts, with the folders that hold homes, projects or packages.
PATHS = re.compile(r"(/(home|root|Users|work|tmp|usr|opt|private|workspace)/\w|site-packages|[A-Z]:\\\\)")

needs_nbformat = pytest.mark.skipif(importlib.util.find_spec("nbformat") is None, reason="nbformat is not installed")
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def complaints(notebook: Any) -> list[str]:
    """What is wrong with an executed notebook."""
    problems, cells = [], code_cells(notebook)
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        problems.append(f"the cells were executed in the order {counts}")
    outputs = [output for cell in cells for output in cell.outputs]
    for output in outputs:
        if output.output_type == "error":
            problems.append(f"a cell ends with {output.ename}")
        if output.get("name") == "stderr":
            problems.append(f"a cell writes to standard error: {output.text[:200]}")
        texts = [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text/"))]
        problems += [f"a cell shows the path of a file: {text[:200]}" for text in texts if PATHS.search(text)]
    if not any(kind.startswith("image/") for output in outputs for kind in output.get("data", {})):
        problems.append("there is no picture")
    return problems


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 4


@needs_nbformat
@every_notebook
def test_it_is_committed_as_it_ran(path: Path):
    """After a change of code or notebook: `jupyter execute --inplace experiments/notebooks/*.ipynb`."""
    assert complaints(read(path)) == []


@every_notebook
def test_it_is_small(path: Path):
    assert path.stat().st_size < 400_000


@needs_nbformat
@every_notebook
def test_it_explains_what_it_does(path: Path):
    """The first cell is a title, and sentences stand between any two cells of code."""
    cells = read(path).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for before, cell in itertools.pairwise(cells):
        assert cell.cell_type == "markdown" or before.cell_type == "markdown", cell.source


@needs_nbformat
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cell: cell.update(execution_count=7), "in the order"),
        (lambda cell: cell.update(outputs=[]), "no picture"),
        (lambda cell: cell.outputs.append(stream("stderr", "a warning")), "standard error"),
        (lambda cell: cell.outputs.append(stream("stdout", "see /home/me/x.png")), "the path of a file"),
        (lambda cell: cell.outputs.append(failure()), "ends with ValueError"),
    ],
)
def test_the_checker_sees_what_is_wrong(change: Any, message: str):
    import nbformat

    picture = nbformat.v4.new_output("display_data", data={"image/png": "", "text/plain": "<Image>"})
    cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=[picture])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert complaints(notebook) == []
    change(cell)
    assert message in " ".join(complaints(notebook))


def stream(name: str, text: str) -> Any:
    import nbformat

    return nbformat.v4.new_output("stream", name=name, text=text)


def failure() -> Any:
    import nbformat

    return nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])


def kinds(notebook: Any) -> list[set[str]]:
    """The kinds of outputs of each cell; how they are cut into pieces is a matter of timing."""
    return [{output.output_type for output in cell.outputs} for cell in code_cells(notebook)]


def write_without_outputs(notebook: Any, path: Path) -> None:
    import nbformat

    for cell in code_cells(notebook):
        cell.update(outputs=[], execution_count=None)
    nbformat.write(notebook, path)


@pytest.mark.slow
@pytest.mark.parametrize(  # the ablation takes minutes
    "path",
    [pytest.param(path, id=path.stem, marks=[pytest.mark.thorough] * (path.stem == "ablation")) for path in NOTEBOOKS],
)
def test_it_runs(path: Path, tmp_path: Path):
    """In a process of its own, as Jupyter's packages warn a lot, with this interpreter as the kernel."""
    for package in ("nbclient", "nbformat", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; it is in the group dev")
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "this"}
    kernel = tmp_path / "jupyter" / "kernels" / "this"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec | {"language": "python"}))
    copy = tmp_path / path.name
    write_without_outputs(read(path), copy)
    environment = os.environ | {"JUPYTER_PATH": str(tmp_path / "jupyter")}
    environment.pop("MPLBACKEND", None)  # the kernel's own shows the figures
    words = ["-c", "from nbclient import cli; cli.main()", "--inplace", "--kernel_name=this", "--timeout=600", copy]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = read(copy)
    assert complaints(notebook) == []
    assert kinds(notebook) == kinds(read(path))
