"""run_all.py: its command line, its report, and what is left when it is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_notebooks import REPOSITORY, seeds, write_notebook

import run_all
from mvp_skill.batch import Run, plan
from mvp_skill.execution import kernel_environment
from mvp_skill.run_ids import notebook_cells
from mvp_skill.scales import SCALES, STUDIES

DRIVER = """
import signal, sys
sys.path[:0] = [{repository!r}, {tests!r}]
from pathlib import Path
import run_all
from mvp_skill.batch import Run
from tiny_notebooks import seeds

def runs(scale):
    train = seeds("11_train", 4, SECONDS=1)
    return [*train, Run("12_attack", needs=tuple(train))]

if __name__ == "__main__":
    # Tests started in the background of a script inherit that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_all.NOTEBOOKS = Path({notebooks!r})
    run_all.runs_of = runs
    sys.exit(run_all.main([*sys.argv[1:], "--results", {results!r}]))
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with two tiny notebooks, which run_all takes for the project's own."""
    write_notebook(tmp_path / "notebooks", "11_train")
    write_notebook(tmp_path / "notebooks", "12_attack")
    train = seeds("11_train", 2)
    runs = [*train, Run("12_attack", needs=tuple(train))]
    monkeypatch.setattr(run_all, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(run_all, "runs_of", lambda scale: runs)
    monkeypatch.setattr(signal, "signal", lambda *given: None)  # pytest keeps its own
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(project: Path, *line: str) -> int:
    given = ["--results", str(project / "results"), "--engine", "none", *line]
    return run_all.main(given)


def summary(project: Path) -> dict[str, str]:
    written = json.loads((project / "results" / "summary.json").read_text())
    return {run["label"]: run["status"] for run in written["runs"]}


# --- the plan of the project -----------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_the_plan_trains_before_it_attacks_and_ends_with_the_results(scale):
    runs = run_all.runs_of(scale)
    seen = []
    for run in runs:
        assert all(needed in seen for needed in run.needs)
        assert not (run.alone and run.needs)  # what is alone comes first
        seen.append(run)
    *others, victims, prompts = runs
    assert [victims.notebook, prompts.notebook] == ["90_results", "91_skill_neuron_results"]
    assert {run for run in others if run.notebook[0] == "2"} == set(prompts.needs)
    assert {run for run in others if run.notebook[0] != "2"} == set(victims.needs)
    tasks, seeds = SCALES[scale].tasks, SCALES[scale].seeds
    attacks = [run for run in runs if run.notebook == "12_attack_victims"]
    assert len(attacks) == len(tasks) * len(seeds)
    for attack in attacks:
        assert {run.parameters["METHOD"] for run in attack.needs} == {"mlp_ft", "mvp"}
        assert {run.parameters["TASK"] for run in attack.needs} == {attack.parameters["TASK"]}
    assert "01_pretrain_mini_models" not in {run.notebook for run in runs}


@pytest.mark.parametrize("scale", SCALES)
def test_the_plan_has_every_experiment_and_a_main_table_per_task(scale):
    runs = run_all.runs_of(scale)
    main = [run for run in runs if run.notebook == "13_main_table"]
    study = STUDIES[scale]
    own = [run.parameters for run in main if "BACKBONE" not in run.parameters]
    assert [given["TASKS"] for given in own] == list(study.tasks)
    others = [run.parameters for run in main if "BACKBONE" in run.parameters]
    assert [given["BACKBONE"] for given in others] == list(study.other_backbones)
    assert {(given["TASKS"], given["VICTIMS"]) for given in others} == {
        (study.ablations[0], "mlp_ft, mvp")
    }
    planned = {run.notebook for run in runs}
    there = {path.stem for path in run_all.NOTEBOOKS.glob("*.ipynb")}
    assert there - planned == {"01_pretrain_mini_models"}


def test_a_backbone_by_hand_leaves_the_other_ones_out(tmp_path):
    line = ["--results", str(tmp_path), "--dry-run", "-p", "BACKBONE", "mini-bert"]
    runs, _ = run_all.chosen_runs(run_all.arguments_of(line), tmp_path)
    main = [run for run in runs if run.label.startswith("13_main_table")]
    assert [run.parameters["TASKS"] for run in main] == list(STUDIES["mini"].tasks)
    assert {run.parameters["BACKBONE"] for run in main} == {"mini-bert"}
    assert set(runs[-1].needs) == {run.label for run in runs[:-1]}


def test_the_plan_fits_the_notebooks_of_the_project(tmp_path):
    for scale in SCALES:
        planned = plan(run_all.runs_of(scale), run_all.NOTEBOOKS, tmp_path, {"SCALE": scale})
        assert len(planned) == len(run_all.runs_of(scale))


LEAVES_EARLY = re.compile(r"\b(sys\.exit|os\._exit|exit|quit)\s*\(")


@pytest.mark.parametrize("line", ["sys.exit()", "if x: exit(0)", "quit ()", "os._exit(1)"])
def test_leaving_early_is_recognised(line):
    assert LEAVES_EARLY.search(line) and not LEAVES_EARLY.search("context.__exit__(); exits = 3")


@pytest.mark.parametrize("path", sorted(run_all.NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_no_notebook_leaves_early_and_the_last_cell_records(path):
    """papermill takes `sys.exit(0)` for success; and without a record a run counts as failed."""
    cells = [cell for cell in notebook_cells(path) if cell["cell_type"] == "code"]
    assert not [cell["source"] for cell in cells if LEAVES_EARLY.search(cell["source"])]
    assert "record" in cells[-1]["tags"] and "save_run(" in cells[-1]["source"]
    assert f'begin_run("{path.stem}", globals())' in "".join(cell["source"] for cell in cells)


def test_the_driver_is_short():
    assert len((REPOSITORY / "run_all.py").read_text().splitlines()) <= 200


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--scale", "miny"], "Unknown scale 'miny' .did you mean mini"),
        (["--engine", "slrum"], "Unknown engine 'slrum'"),
        (["--workers", "0"], "at least 1, not 0"),
        (["--only", "99_nothing"], "'99_nothing' matches no run.*11_train, 12_attack"),
        (["-p", "SEDE", "1"], "no notebook of this plan has such a parameter .did you mean SEED"),
        (["-p", "SEED", "one"], "SEED takes a value like 0"),
        (["-p", "TASK", "mini_flims"], "Unknown task 'mini_flims'"),
        (["-p", "SEED", "-3"], "SEED must be a whole number of at least 0"),
    ],
)
def test_bad_input_is_one_sentence_and_starts_nothing(project, capsys, line, said):
    assert start(project, *line) == 2
    written = capsys.readouterr()
    assert re.fullmatch(f"run_all.py: .*{said}.*\n", written.err) and written.out == ""
    assert not (project / "results").exists()


def test_results_that_cannot_be_written_are_bad_input(project, capsys):
    (project / "results").write_text("a file")
    assert start(project) == 2
    assert "Cannot write in" in capsys.readouterr().err


def test_two_batches_do_not_share_a_results_folder(project, capsys):
    with run_all.lock(project / "results"):
        assert start(project) == 2
    assert "Another run_all.py works in" in capsys.readouterr().err
    assert list((project / "results").iterdir()) == [project / "results" / ".lock"]


# --- what it does ----------------------------------------------------------------------------


def test_a_dry_run_shows_the_plan_and_starts_nothing(project, capsys):
    assert start(project, "--dry-run", "-p", "SEED", "4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["11_train/mini-s4", "12_attack/mini-s4"]
    assert all("to do" in line for line in lines[1:])
    assert not (project / "results").exists()


@pytest.mark.slow
def test_a_failed_run_is_reported_and_the_others_go_on(project, capsys):
    write_notebook(project / "notebooks", "11_train", "assert SEED == 1, 'planned'")
    assert start(project) == 1
    expected = {"11_train/mini-s0": "failed", "11_train/mini-s1": "done"}
    assert summary(project) == expected | {"12_attack/mini-s0": "not run"}
    text = (project / "results" / "summary.txt").read_text()
    assert "cell [4]: AssertionError: planned" in text and "needs 11_train/mini-s0" in text
    assert "1 failed, 1 done, 1 not run" in text and text.strip() in capsys.readouterr().out
    index = (project / "results" / "gallery" / "index.html").read_text()
    assert "11_train--mini-s1.html" in index and 'class="failed"' in index


@pytest.mark.slow
def test_finished_runs_are_kept_unless_forced_and_only_brings_what_it_needs(project):
    assert start(project, "--only", "11*s0") == 0
    assert summary(project) == {"11_train/mini-s0": "done"}
    pid = project / "results" / "11_train" / "mini-s0" / "pid"
    first = pid.read_text()
    assert start(project, "--only", "12_attack") == 0
    assert summary(project) == {
        "11_train/mini-s0": "finished before",
        "11_train/mini-s1": "done",
        "12_attack/mini-s0": "done",
    }
    assert pid.read_text() == first
    assert start(project, "--only", "11*s0", "--force") == 0
    assert pid.read_text() != first
    assert start(project) == 0  # the attack is older than what it needs now
    assert list(summary(project).values()) == ["finished before", "finished before", "done"]
    assert start(project) == 0
    assert set(summary(project).values()) == {"finished before"}


# --- killed on the way -----------------------------------------------------------------------


def driver(tmp_path: Path, *line: str) -> subprocess.Popen:
    """run_all.py in a process of its own, with five tiny runs on two workers."""
    write_notebook(tmp_path / "notebooks", "11_train")
    write_notebook(tmp_path / "notebooks", "12_attack")
    script = tmp_path / "driver.py"
    names = {"notebooks": tmp_path / "notebooks", "results": tmp_path / "results"}
    names |= {"repository": REPOSITORY, "tests": Path(__file__).parent}
    script.write_text(DRIVER.format(**{name: str(path) for name, path in names.items()}))
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(script), "--workers", "2", *line]
    with (tmp_path / "log").open("a") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=tmp_path)


def finished_runs(tmp_path: Path) -> dict[str, float]:
    """Folder name to modification time of run.json, of the finished runs of 11_train."""
    paths = (tmp_path / "results" / "11_train").glob("*/run.json")
    return {p.parent.name: p.stat().st_mtime for p in paths if ".partial" not in p.parent.name}


def wait_until(condition, process: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_after_kill_9_a_second_start_redoes_only_what_is_missing(tmp_path):
    first = driver(tmp_path)
    partial = tmp_path / "results" / "11_train"
    # In the middle of the second pair: some are finished, and one is under way.
    wait_until(lambda: finished_runs(tmp_path) and any(partial.glob("*.partial/pid")), first)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    before = finished_runs(tmp_path)
    assert 1 <= len(before) < 4
    assert driver(tmp_path).wait(timeout=120) == 0
    after = finished_runs(tmp_path)
    assert len(after) == 4 and {name: after[name] for name in before} == before
    statuses = summary(tmp_path)
    assert sum(status == "finished before" for status in statuses.values()) == len(before)
    assert sum(status == "done" for status in statuses.values()) == 5 - len(before)
    assert not list((tmp_path / "results").glob("*/*.partial"))
    for path in (tmp_path / "results").glob("*/*/run.json"):
        assert json.loads(path.read_text())["metrics"] == {"clean_acc": 0.5, "n_test": 10}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("which", "engine"), [(signal.SIGINT, "local"), (signal.SIGTERM, "none")], ids=["local", "none"]
)
def test_an_interrupted_batch_says_so_and_leaves_a_summary(tmp_path, which, engine):
    process = driver(tmp_path, "--engine", engine)
    pids = tmp_path / "results" / "11_train"
    wait_until(lambda: any(pids.glob("*.partial/pid")), process)
    time.sleep(0.2)
    kernels = [int(path.read_text()) for path in pids.glob("*.partial/pid")]
    process.send_signal(which)
    assert process.wait(timeout=60) == 130
    assert "Interrupted: start again to go on" in (tmp_path / "log").read_text()
    assert 'run_all.py", line' not in (tmp_path / "log").read_text()  # no stack trace of ours
    statuses = summary(tmp_path)
    assert len(statuses) == 5 and statuses["12_attack/mini-s0"] == "to do"
    time.sleep(2)  # a kernel that has lost its parent notices within a second
    assert kernels and not any(Path(f"/proc/{pid}").exists() for pid in kernels)


def test_the_place_of_the_sockets_stays_short_enough(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))
    (tmp_path / ("long" * 30)).mkdir()
    with kernel_environment(plan_of_one(tmp_path), threads=1) as folder:
        assert len(str(folder / "ipc-5")) < 108
    assert not folder.exists()


def plan_of_one(tmp_path: Path):
    write_notebook(tmp_path / "notebooks", "11_train")
    return plan([Run("11_train")], tmp_path / "notebooks", tmp_path / "results")[0]
