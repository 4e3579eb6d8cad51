"""Run notebooks of this folder anew and write them with their outputs.

    python docs/notebooks/execute.py [NAME ...]

All of them without a name; a name is that of a file, without its ending. Each runs from its first cell
in a fresh kernel of this Python. What would tell of the machine or the hour is not written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from traitlets import default

FOLDER = Path(__file__).resolve().parent
SECONDS = 600
"""That a cell may take."""


class ThisKernel(AsyncKernelManager):
    """Started by `ThisPython`."""

    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return ThisPython()


class ThisPython(KernelSpecManager):
    """A kernel of the Python that runs, whatever kernels the machine has registered."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
        ]
        command.append("--log-level=ERROR")
        return KernelSpec(
            argv=command, display_name="Python 3", language="python"
        )


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(FOLDER)}}
    kernel = {
        "kernel_manager_class": ThisKernel,
        "timeout": SECONDS,
        "coalesce_streams": True,
        "resources": where,
    }
    NotebookClient(notebook, **kernel).execute(
        env=os.environ | {"PYTHONPATH": search_path()}
    )
    return stripped(notebook)


def search_path() -> str:
    """PYTHONPATH with its entries absolute: a kernel starts in the notebook's folder."""
    entries = filter(
        None, os.environ.get("PYTHONPATH", "").split(os.pathsep)
    )
    return os.pathsep.join(
        str(Path(entry).resolve()) for entry in entries
    )


def stripped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without times, versions and kernels of the machine."""
    kernel = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The files of those names, or all."""
    return (
        [FOLDER / f"{n}.ipynb" for n in names]
        if names
        else sorted(FOLDER.glob("*.ipynb"))
    )


if __name__ == "__main__":
    for file in notebooks(sys.argv[1:]):
        print(file.name, flush=True)
        nbformat.write(executed(file), file)
