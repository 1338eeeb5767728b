"""Tiny notebooks for the tests of the batch: no torch, and done within a second or two."""

import json
from pathlib import Path

from mvp_skill.batch import PlannedRun, Run, plan

REPOSITORY = Path(__file__).parent.parent

PARAMETERS = 'SCALE = "mini"\nTASK = None\nSEED = 0\nSECONDS = None\nOUT = "../results"'
# With a default of every type.
KNOBS = """SCALE = "mini"
TASK = None
METHOD = "mvp"
SEED = 0
EPOCHS = None
LEARNING_RATE = None
SHARE = 0.5
WORDS = ("a", "b")
FAST = False
AUTOCAST = None
N_TEST = None
N_ATTACKED = None
ATTACK = "textfooler"
DATA_DIR = None
OUT = "../results"
"""
BEGIN = f"""import os, sys, time
sys.path.insert(0, {str(REPOSITORY)!r})
from mvp_skill.results import begin_run, save_run
"""
RECORD = 'save_run(run, {"clean_acc": 0.5, "n_test": 10})'


def write_notebook(
    folder: Path,
    name: str,
    work: str = "",
    record: str = RECORD,
    parameters: str = PARAMETERS,
) -> Path:
    """A notebook that waits SECONDS, does `work`, and records itself. Its pid is in run.folder."""
    begin = f'{BEGIN}run = begin_run("{name}", globals())\n'
    note = "(run.folder / 'pid').write_text(str(os.getpid()))\ntime.sleep(SECONDS or 0)\n"
    cells = [
        ("markdown", f"# {name}: does it run?", []),
        ("code", parameters, ["parameters"]),
        ("code", begin + note, []),
        ("code", work, []),
        ("code", record, ["record"]),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": [_cell(i, *cell) for i, cell in enumerate(cells)]}
    content |= {"metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | {"nbformat": 4, "nbformat_minor": 5}))
    return path


def _cell(index: int, cell_type: str, source: str, tags: list[str]) -> dict:
    cell = {"id": f"c{index}", "cell_type": cell_type, "source": source, "metadata": {"tags": tags}}
    return cell if cell_type == "markdown" else cell | {"outputs": [], "execution_count": None}


def three_notebooks(folder: Path) -> tuple[Path, Path]:
    """Folders notebooks, with three notebooks, and results."""
    write_notebook(folder / "notebooks", "11_train")
    write_notebook(folder / "notebooks", "12_attack")
    write_notebook(folder / "notebooks", "13_knobs", parameters=KNOBS)
    return folder / "notebooks", folder / "results"


def seeds(name: str, count: int, **parameters: object) -> list[Run]:
    """Runs of one notebook with seeds 0, 1, ..."""
    return [Run(name, {"SEED": seed, **parameters}) for seed in range(count)]


def three_levels(folders: tuple[Path, Path]) -> list[PlannedRun]:
    """Two runs of 11, each needed by one of 12."""
    train = seeds("11_train", 2)
    attack = [Run("12_attack", run.parameters, needs=(run,)) for run in train]
    return plan([*train, *attack], *folders)
