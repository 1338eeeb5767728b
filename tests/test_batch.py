"""The batch: the plan, what of it is chosen, and what is still to do."""

import json
from pathlib import Path

import pytest
from tiny_notebooks import seeds, three_levels, three_notebooks, write_notebook

from mvp_skill import summary
from mvp_skill.batch import PlannedRun, Run, pending, plan, select
from mvp_skill.errors import BadInput
from mvp_skill.run_folders import partial


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    return three_notebooks(tmp_path)


def pretend(run: PlannedRun, started: str, finished: str) -> None:
    """Leave a finished run."""
    run.finished.mkdir(parents=True)
    record = {"key": run.key, "started": started, "finished": finished, "seconds": 1.0}
    (run.finished / "run.json").write_text(json.dumps(record))


def test_a_plan_has_every_parameter_and_the_labels_of_what_a_run_needs(folders):
    planned = three_levels(folders)
    assert [run.label for run in planned] == [
        "11_train/mini-s0",
        "11_train/mini-s1",
        "12_attack/mini-s0",
        "12_attack/mini-s1",
    ]
    assert planned[3].needs == ("11_train/mini-s1",)
    assert set(planned[0].parameters) == {"SCALE", "TASK", "SEED", "SECONDS", "OUT"}
    assert planned[0].parameters["OUT"] == str(folders[1])
    assert len({run.key for run in planned}) == 4


def test_runs_that_overrides_make_equal_are_run_once(folders):
    train = seeds("11_train", 3)
    planned = plan([*train, Run("12_attack", needs=tuple(train))], *folders, {"SEED": 5})
    assert [run.label for run in planned] == ["11_train/mini-s5", "12_attack/mini-s5"]
    assert planned[1].needs == ("11_train/mini-s5",)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run("11_trian"), "no notebook 11_trian in .* .did you mean 11_train.*12_attack"),
        (Run("11_train", {"SEEED": 1}), "11_train has no parameter SEEED .did you mean SEED"),
    ],
)
def test_a_plan_with_a_wrong_name_is_refused(folders, run, said):
    with pytest.raises(BadInput, match=said):
        plan([run], *folders)


def test_every_notebook_must_say_where_its_results_go(folders):
    write_notebook(folders[0], "14_homeless", parameters="SEED = 0")
    with pytest.raises(BadInput, match="has no parameter OUT"):
        plan([Run("14_homeless")], *folders)


@pytest.mark.parametrize(
    ("patterns", "expected", "matched"),
    [
        ([], 4, 4),
        (["12_attack"], 4, 2),
        (["12*s1"], 2, 1),
        (["11_train/mini-s0"], 1, 1),
        (["11*s0", "12*s1"], 3, 2),
    ],
)
def test_only_takes_what_matches_and_what_that_needs(folders, patterns, expected, matched):
    selected, labels = select(three_levels(folders), patterns)
    assert (len(selected), len(labels)) == (expected, matched)
    with pytest.raises(BadInput, match="'99' matches no run of the plan.*11_train, 12_attack"):
        select(three_levels(folders), [*patterns, "99"])


def test_pending_is_what_is_missing_forced_or_older_than_what_it_needs(folders):
    planned = three_levels(folders)
    train_0, train_1, attack_0, attack_1 = planned
    assert pending(planned) == {run.label for run in planned}
    pretend(train_0, "T01", "T02")
    pretend(train_1, "T01", "T05")
    pretend(attack_0, "T03", "T06")
    pretend(attack_1, "T03", "T06")  # begun before the run it needs had ended
    assert pending(planned) == {attack_1.label}
    assert pending(planned, force={train_0.label}) == {
        train_0.label,
        attack_0.label,
        attack_1.label,
    }
    train_0.source.write_text(train_0.source.read_text().replace("getpid", "getppid"))
    assert pending(three_levels(folders)) == {run.label for run in planned}


def test_runs_that_other_code_has_made_are_pointed_out(folders, monkeypatch):
    runs = three_levels(folders)[:3]
    same = {"commit": "a", "dirty": False}
    for run, made in zip(runs, (same | {"commit": "b"}, same | {"dirty": True}, same), strict=True):
        pretend(run, "2026-01-01T00:00:00", "2026-01-01T00:00:01")
        path = run.finished / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"environment": made}))
    monkeypatch.setattr(summary, "commit", lambda folder: same)
    assert summary.made_by_other_code(runs).startswith("2 of the finished runs")
    assert summary.made_by_other_code(runs[2:]) == ""
    monkeypatch.setattr(summary, "commit", lambda folder: {"commit": None, "dirty": None})
    assert summary.made_by_other_code(runs) == ""  # no git, nothing to compare


def test_a_partial_or_damaged_run_is_pending(folders):
    planned = three_levels(folders)[:1]
    pretend(planned[0], "T01", "T02")
    assert pending(planned) == set()
    (planned[0].finished / "run.json").write_text('{"key": "cut o')
    assert pending(planned) == {planned[0].label}
    (planned[0].finished / "run.json").unlink()
    partial(planned[0].finished).mkdir()
    (partial(planned[0].finished) / "run.json").write_text(json.dumps({"key": planned[0].key}))
    assert pending(planned) == {planned[0].label}
