"""What the first cells of the notebooks import: nothing that only later cells need."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each takes from half a second to many seconds to import.
LARGE = ("textattack", "datasets", "transformers", "seaborn", "scipy.stats", "nltk", "tensorflow")
LARGE += ("sklearn", "papermill", "dask", "distributed")
ALLOWED = {  # what a notebook's first cell names itself, as its reader is shown it
    "15_why_does_mvp_help": {"scipy.stats", "sklearn"},
    "28_flaws_of_the_reference": {"scipy.stats"},
    "01_pretrain_mini_models": {"scipy.stats", "sklearn", "transformers"},
}


def first_cells(path: Path) -> str:
    """The code of all cells up to the one that is tagged `parameters`."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    last = next(i for i, c in enumerate(cells) if "parameters" in c.metadata.get("tags", []))
    return "\n".join(cell.source for cell in cells[: last + 1])


def imported_by(codes: dict[str, str]) -> dict[str, list[str]]:
    """Which of LARGE each code imports first, one after the other in a fresh Python."""
    program = f"""
import json, sys
found = {{}}
for name, code in json.loads(sys.stdin.read()).items():
    before = set(sys.modules)
    exec(code, {{"__name__": "__main__"}})
    found[name] = sorted({{*{LARGE}}} & (set(sys.modules) - before))
print(json.dumps(found))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "notebooks",
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow
def test_notebooks_start_without_large_libraries():
    paths = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    strict = {name: first_cells(paths[name]) for name in paths if name not in ALLOWED}
    rest = {name: first_cells(paths[name]) for name in ALLOWED}
    planted = {"planted": "import seaborn", "again": "import seaborn"}
    found = imported_by(strict | planted | rest)
    assert "seaborn" in found.pop("planted") and found.pop("again") == []
    assert all(set(found.pop(name)) <= ALLOWED[name] for name in ALLOWED)
    assert len(found) > 20 and found == {name: [] for name in strict}
