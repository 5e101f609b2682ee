"""Run the notebooks of docs/tutorials from top to bottom, and save them with what they print and draw.

python scripts/run_tutorials.py edit-a-photo

Each notebook has one cell tagged "parameters", whose values a run may change. The tests run all with quick ones.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
import tyro
from nbclient import NotebookClient
from nbformat import NotebookNode

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SECONDS = 3600
"""Longest time of a cell."""


@contextmanager
def running_kernel() -> Iterator[NotebookClient]:
    """Start a kernel for any number of notebooks, and shut it down at the end."""
    client = NotebookClient(
        nbformat.v4.new_notebook(), kernel_name=KERNEL["name"], timeout=SECONDS, record_timing=False
    )
    with client.setup_kernel():
        yield client


def run_notebook(path: Path, folder: Path, client: NotebookClient, changes: Mapping[str, object]) -> NotebookNode:
    """Run a notebook in a folder; returns it with its outputs.

    Args:
        path: The notebook.
        folder: Working folder of the notebook, for what it writes.
        client: A running kernel, whose variables are deleted first; what it has imported stays.
        changes: New values of the notebook's parameters.

    Raises:
        CellExecutionError: A cell raises an exception.
    """
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    (parameters,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    clean = nbformat.v4.new_code_cell(f"%reset -f\nimport os; os.chdir({str(folder)!r})")
    changed = nbformat.v4.new_code_cell("\n".join(f"{name} = {value!r}" for name, value in changes.items()))
    cells = notebook.cells
    client.nb = nbformat.v4.new_notebook(cells=[clean, *cells[: parameters + 1], changed, *cells[parameters + 1 :]])
    client.reset_execution_trackers()
    for i, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, i)
    return notebook


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Keep of the outputs what readers look at: photos as JPEG, no progress, no addresses of objects, no versions."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "image/jpeg" in output.get("data", {}):
                output.data = {"image/jpeg": re.sub(r"\s", "", output.data["image/jpeg"])}
    return notebook


@dataclass(frozen=True)
class Run:
    """Run tutorials as they stand, each in a folder of its own, and save them with their outputs."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of notebooks without their ending; all by default."""

    def run(self) -> None:
        """Run and save."""
        paths = [TUTORIALS / f"{name}.ipynb" for name in self.names] or sorted(TUTORIALS.glob("*.ipynb"))
        for path in paths:
            with tempfile.TemporaryDirectory() as folder:
                # The notebooks name the sample photos by their place relative to docs/tutorials.
                work = Path(folder) / "docs" / "tutorials"
                work.mkdir(parents=True)
                (Path(folder) / "examples").symlink_to(TUTORIALS.parents[1] / "examples")
                with running_kernel() as client:
                    notebook = tidy(run_notebook(path, work, client, {}))
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    tyro.cli(Run, description=__doc__).run()
