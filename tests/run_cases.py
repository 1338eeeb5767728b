"""A working directory with two tiny notebooks, and the parameters that they are run with."""

from pathlib import Path

from tiny_notebooks import write_notebook

from mvp_skill.results import IN_BATCH

KNOBS = 'SCALE = "mini"\nTASK = "mini_films"\nMETHOD = "mvp"\nSEED = 0\nN_TRAIN = None\n'
KNOBS += 'OUT = "../results"'


def working_folder(tmp_path, monkeypatch) -> Path:
    """A working directory like notebooks/, with two notebooks in it; not in a batch."""
    folder = tmp_path / "notebooks"
    write_notebook(folder, "11_train", parameters=KNOBS)
    write_notebook(folder, "12_attack", parameters=KNOBS.replace('METHOD = "mvp"\n', ""))
    monkeypatch.chdir(folder)
    monkeypatch.delenv(IN_BATCH, raising=False)
    return folder


def values(**changes) -> dict:
    given = {"SCALE": "mini", "TASK": "mini_films", "METHOD": "mvp", "SEED": 0, "N_TRAIN": None}
    return given | {"OUT": "../results"} | changes
