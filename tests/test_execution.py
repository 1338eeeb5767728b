"""One run of the batch: what it leaves behind, and what is said of one that fails."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from tiny_notebooks import PARAMETERS, three_notebooks, write_notebook

from mvp_skill.batch import PlannedRun, Run, pending, plan, typed_overrides
from mvp_skill.execution import DONE, FAILED, Outcome, execute


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    return three_notebooks(tmp_path)


def run_one(folders, work="", **options) -> tuple[Outcome, PlannedRun]:
    write_notebook(folders[0], "20_one", work, **options)
    (planned,) = plan([Run("20_one")], *folders)
    return execute(planned, [], threads=3), planned


@pytest.mark.slow
def test_a_list_by_hand_reaches_the_notebook_as_a_list(folders, tmp_path):
    """papermill would make the text "(0, 1)" of a tuple."""
    write_notebook(
        folders[0], "20_one", "assert SEEDS == [0, 1]", parameters=PARAMETERS + "\nSEEDS = None"
    )
    planned = plan([Run("20_one")], *folders)
    given = typed_overrides([("SEEDS", "0,1")], planned, tmp_path)
    (planned,) = plan([Run("20_one")], *folders, given)
    outcome = execute(planned, [])
    assert (outcome.status, outcome.error) == (DONE, "")


@pytest.mark.slow
def test_a_run_leaves_its_folder_and_nothing_else(folders, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    before = dict(os.environ), Path.cwd()
    names = ["OMP_NUM_THREADS", "HF_HUB_OFFLINE", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    work = f"import json\nnames = {names}\n"
    work += "seen = {name: os.environ[name] for name in names}\n"
    work += "assert 'MALLOC_TRIM_THRESHOLD_' not in os.environ\n"
    work += "seen |= {'python': sys.executable, 'cwd': os.getcwd()}\n"
    work += "(run.folder / 'seen.json').write_text(json.dumps(seen))"
    outcome, planned = run_one(folders, work)
    assert (outcome.status, outcome.error) == (DONE, "")
    assert outcome.notebook == str(planned.finished / "executed.ipynb")
    assert {path.name for path in planned.finished.iterdir()} == {
        "run.json",
        "executed.ipynb",
        "seen.json",
        "pid",
        "attempt.json",
    }
    seen = json.loads((planned.finished / "seen.json").read_text())
    assert seen["OMP_NUM_THREADS"] == "3" and seen["HF_HUB_OFFLINE"] == "1"
    assert seen["cwd"] == str(folders[0].resolve())
    assert os.path.samefile(seen["python"], sys.executable)
    assert not Path(seen["JUPYTER_RUNTIME_DIR"]).exists() and seen["IPYTHONDIR"].startswith("/")
    assert (dict(os.environ), Path.cwd()) == before
    assert [path.suffix for path in folders[0].iterdir()] == [".ipynb"] * 4
    assert pending([planned]) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "record", "said"),
    [
        ("raise KeyError('two\\nlines')", None, r"cell \[4\]: KeyError: 'two\\nlines'"),
        ("sys.exit(0)", None, "ended without a record"),
        ("", "pass", "ended without a record"),
    ],
    ids=["exception", "sys.exit", "no record"],
)
def test_a_run_that_fails_says_why_in_one_line_and_is_not_finished(folders, work, record, said):
    options = {} if record is None else {"record": record}
    outcome, planned = run_one(folders, work, **options)
    assert outcome.status == FAILED and "\n" not in outcome.error
    assert re.search(said, outcome.error)
    assert Path(outcome.notebook).exists() and not planned.finished.exists()


@pytest.mark.slow
def test_a_kernel_that_is_killed_gets_one_more_chance(folders):
    suicide = "import signal\nkilled = run.folder / 'killed'\nif not killed.exists():\n"
    suicide += "    killed.touch()\n    os.kill(os.getpid(), signal.SIGKILL)"
    outcome, planned = run_one(folders, suicide)
    assert (outcome.status, outcome.error) == (DONE, "")
    always = "import signal\nos.kill(os.getpid(), signal.SIGKILL)"
    outcome, planned = run_one(folders, always)
    assert outcome.status == FAILED and "the kernel died 2 times" in outcome.error
    assert pending([planned]) == {planned.label}  # the first one's result, with another key, stays


@pytest.mark.slow
def test_a_kernel_clears_up_but_is_not_taken_apart(folders):
    work = """import atexit, os, types
from pathlib import Path
folder = Path(OUT).resolve()
atexit.register((folder / 'cleared').write_text, 'yes')
class Kept:
    def __del__(self, mkdir=os.mkdir, path=str(folder / 'apart')): mkdir(path)
sys.modules['held'] = types.ModuleType('held')
sys.modules['held'].kept = Kept()"""
    outcome, planned = run_one(folders, work)
    assert (outcome.status, outcome.error) == (DONE, "")
    results = planned.finished.parent.parent
    assert (results / "cleared").read_text() == "yes" and not (results / "apart").exists()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "import signal\nos.kill(os.getpid(), signal.SIGKILL)"])
def test_the_notebook_is_saved_now_and_then_and_whole_at_the_end(folders, monkeypatch, end):
    from papermill import engines

    written, write = [], engines.write_ipynb
    monkeypatch.setattr(engines, "write_ipynb", lambda *a: written.append(a[1]) or write(*a))
    outcome, _ = run_one(folders, f"print('seen', 6 * 7, flush=True)\n{end}")
    attempts = 2 if end else 1
    assert outcome.status == (FAILED if end else DONE)
    assert len(written) == 2 * attempts  # at the start and at the end
    saved = json.loads(Path(outcome.notebook).read_text(encoding="utf-8"))
    states = [cell["metadata"]["papermill"]["status"] for cell in saved["cells"]]
    assert states[0] == "completed" and saved["metadata"]["papermill"]["end_time"]
    assert end or "seen 42" in json.dumps([cell.get("outputs") for cell in saved["cells"]])
    monkeypatch.setattr("mvp_skill.sparing_engine.SAVE_EVERY", 0)
    written.clear()
    run_one(folders, "print('again')")
    assert len(written) == 2 + 2 * len(saved["cells"])
