"""Rules for the files of the repository, whoever writes them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "mvp_skill").rglob("*.py")) + sorted(ROOT.glob("*.py"))
# What running or installing leaves in a checkout; never committed.
GENERATED = {".git", ".venv", "results", "build", "dist", "__pycache__", ".ipynb_checkpoints"}
GENERATED |= {".pytest_cache", ".ruff_cache", "dask-worker-space", "dask-scratch-space"}
BINARY = {".safetensors", ".png", ".pdf", ".parquet"}
MACHINE_PATH = re.compile(
    r"(?<![\w.)}$-])/(work|farm|root|opt|tmp|mnt|scratch|home|Users)/\w|[A-Z]:\\{1,2}Users|file://"
)


def is_generated(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part in GENERATED or part.endswith(".egg-info") for part in parts)


def text_files() -> list[Path]:
    files = [path for path in sorted(ROOT.rglob("*")) if path.is_file()]
    return [x for x in files if not is_generated(x) and x.suffix not in BINARY | {".pyc"}]


@pytest.mark.parametrize("line", ['cd "/home/x/y"', "a=/tmp/a", "C:\\Users\\me", "file:///x"])
def test_a_machine_path_is_recognised(line):
    assert MACHINE_PATH.search(line)


@pytest.mark.parametrize(
    "line", ["#!/usr/bin/env bash", "https://a.org/home/b", "../tmp/x", "/work"]
)
def test_other_paths_are_not_machine_paths(line):
    assert not MACHINE_PATH.search(line)


def test_no_file_names_a_path_of_somebodys_machine():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_is_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content(command):
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--no-cache",
            "--output-format=concise",
            str(ROOT),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


# Notebooks


def strip_arguments() -> list[str]:
    """nbstripout's arguments, from the line in .gitattributes that sets up the filter."""
    attributes = (ROOT / ".gitattributes").read_text(encoding="utf-8")
    (command,) = re.findall(r"git config filter\.nbstripout\.clean '(.*)'", attributes)
    program, *arguments = shlex.split(command)
    assert Path(program).name == "nbstripout"
    return arguments


def is_stripped(path: Path) -> bool:
    """Whether the filter would leave the notebook as it is. The file is not changed."""
    command = [sys.executable, "-m", "nbstripout", "--verify", *strip_arguments(), str(path)]
    return subprocess.run(command, capture_output=True).returncode == 0


def small_notebook() -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("SEED = 0", id="kept", metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[cell])


def test_a_stripped_notebook_is_recognised(tmp_path):
    nbformat.write(small_notebook(), tmp_path / "a.ipynb")
    assert is_stripped(tmp_path / "a.ipynb")


@pytest.mark.parametrize("left_over", ["output", "count", "cell metadata", "notebook metadata"])
def test_what_running_leaves_behind_is_recognised(tmp_path, left_over):
    notebook = small_notebook()
    cell = notebook.cells[0]
    if left_over == "output":
        cell.outputs = [nbformat.v4.new_output("stream", text="1\n")]
    elif left_over == "count":
        cell.execution_count = 1
    elif left_over == "cell metadata":
        cell.metadata["papermill"] = {"status": "completed"}
    else:
        notebook.metadata["papermill"] = {"duration": 1.0}
    nbformat.write(notebook, tmp_path / "a.ipynb")
    assert not is_stripped(tmp_path / "a.ipynb")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_without_traces_of_a_run(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert is_stripped(path), f"run nbstripout on {path.name} as .gitattributes says"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_exactly_one_parameters_cell(path):
    cells = nbformat.read(path, as_version=4).cells
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell.cell_type for cell in tagged] == ["code"]
