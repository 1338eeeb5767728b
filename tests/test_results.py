"""Run folders: the way from partial to finished, what is recorded, and the tidy table."""

import json
import math
import os
import stat
from pathlib import Path

import pytest
from run_cases import values, working_folder
from tiny_notebooks import PARAMETERS

from mvp_skill import environment
from mvp_skill.errors import BadInput
from mvp_skill.results import (
    COLUMNS,
    IN_BATCH,
    begin_run,
    claim,
    find_run,
    load_claims,
    load_runs,
    reuse,
    save_run,
)
from mvp_skill.run_folders import finish, finished_record, partial, prepare, restore


@pytest.fixture
def notebooks(tmp_path, monkeypatch) -> Path:
    return working_folder(tmp_path, monkeypatch)


# --- the way of a run ------------------------------------------------------------------------


def test_in_jupyter_a_notebook_leaves_a_finished_run(notebooks):
    run = begin_run("11_train", values())
    assert run.folder.name == "mini_films-mvp-s0.partial"
    (run.folder / "examples.csv").write_text("index\n")
    assert load_runs("../results").empty
    folder = save_run(run, {"clean_acc": 0.75, "n_test": 8}, settings={"epochs": 3})
    assert (
        folder == run.folder == run.finished == notebooks.parent / "results/11_train" / run.run_id
    )
    assert {path.name for path in folder.iterdir()} == {"run.json", "examples.csv", "attempt.json"}
    record = json.loads((folder / "run.json").read_text())
    assert record["parameters"] == {k: v for k, v in values().items() if k != "OUT"}
    assert record["key"] == run.key and record["settings"] == {"epochs": 3}
    assert record["started"] <= record["finished"] and record["environment"]["python"]


def test_saving_again_after_the_run_is_closed_keeps_it_finished(notebooks):
    run = begin_run("11_train", values())
    save_run(run, {"clean_acc": 0.5, "n_test": 8})
    save_run(run, {"clean_acc": 0.75, "n_test": 8})
    assert list(load_runs("../results").query("metric == 'clean_acc'").value) == [0.75]


def test_in_the_batch_the_driver_gives_the_final_name(notebooks, monkeypatch):
    monkeypatch.setenv(IN_BATCH, "1")
    run = begin_run("11_train", values())
    folder = save_run(run, {"n_test": 8})
    assert folder == partial(run.finished) and load_runs("../results").empty
    finish(folder)
    assert finished_record(run.finished, run.key) and not folder.exists()


def test_a_partial_folder_is_continued_only_for_the_same_key_and_only_if_recent(tmp_path):
    finished = tmp_path / "nb" / "s0"
    folder = prepare(finished, "key")
    (folder / "checkpoint").write_text("x")
    (folder / "run.json").write_text("{}")
    assert prepare(finished, "key") == folder
    assert (folder / "checkpoint").exists() and not (folder / "run.json").exists()
    prepare(finished, "key", since="9999")
    assert not (folder / "checkpoint").exists()
    (folder / "checkpoint").write_text("x")
    prepare(finished, "other key")
    assert not (folder / "checkpoint").exists()


def test_a_new_result_replaces_the_old_one_and_not_before_it_is_finished(tmp_path):
    finished = tmp_path / "nb" / "s0"
    for content in ("old", "new"):
        folder = prepare(finished, "key")
        (folder / "run.json").write_text(json.dumps({"key": content}))
        if content == "new":
            assert finished_record(finished, "old")
        finish(folder)
    assert finished_record(finished, "new") and not finished_record(finished, "old")
    assert [path.name for path in finished.parent.iterdir()] == ["s0"]


def test_a_replacement_killed_between_the_renames_is_undone(tmp_path):
    old = tmp_path / "s0.replaced"
    old.mkdir()
    (old / "run.json").write_text('{"key": "old"}')
    restore(tmp_path / "s0")
    assert finished_record(tmp_path / "s0", "old") and not old.exists()


def test_a_finished_run_lends_its_files_in_jupyter_but_not_in_the_batch(notebooks, monkeypatch):
    first = begin_run("11_train", values())
    assert not reuse(first, "victim")
    (first.folder / "victim").mkdir()
    (first.folder / "victim" / "weights").write_text("w")
    save_run(first, {"n_test": 8})
    again = begin_run("11_train", values())
    assert reuse(again, "victim") and (again.folder / "victim" / "weights").read_text() == "w"
    assert not reuse(again, "nothing")
    assert not reuse(begin_run("11_train", values(N_TRAIN=3)), "victim")
    monkeypatch.setenv(IN_BATCH, "1")
    assert not reuse(again, "victim")


def test_begin_run_wants_the_parameters_to_be_there(notebooks):
    with pytest.raises(BadInput, match="lacks TASK, SEED"):
        begin_run("11_train", {k: v for k, v in values().items() if k not in ("TASK", "SEED")})
    with pytest.raises(BadInput, match=r"13_typo\.ipynb does not exist"):
        begin_run("13_typo", values())


# --- what is recorded ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"clean_acc": 87.5, "n_test": 8}, r"clean_acc must lie in \[0, 1\]"),
        ({"robust_acc": math.nan, "n_test": 8}, "robust_acc must be a finite number"),
        ({"mean_queries": "many"}, "mean_queries must be a finite number"),
        ({"clean_acc": 0.5}, "clean_acc needs its count"),
        ([{"method": "mvp", "n": 3}, {"attack_success_rate": 2, "n": 3}], "attack_success_rate"),
    ],
)
def test_numbers_that_are_no_results_are_refused(notebooks, metrics, said):
    run = begin_run("11_train", values())
    with pytest.raises(BadInput, match=said):
        save_run(run, metrics)
    assert not (run.folder / "run.json").exists()


def test_numpy_numbers_and_missing_ones_can_be_recorded(notebooks):
    import numpy

    run = begin_run("11_train", values())
    save_run(run, {"clean_acc": numpy.float32(0.5), "n_test": numpy.int64(8), "p_value": None})
    assert json.loads((run.folder / "run.json").read_text())["metrics"] == {
        "clean_acc": 0.5,
        "n_test": 8,
        "p_value": None,
    }


def test_the_tidy_table_has_one_row_per_metric_and_fills_the_keys(notebooks):
    rows = [
        {"method": "mvp", "attack": "textfooler", "robust_acc": 0.5, "n": 200},
        {"method": "mlp_ft", "attack": "textfooler", "robust_acc": 0.25, "n": 200},
    ]
    both = {k: v for k, v in values(N_TRAIN=50).items() if k != "METHOD"}
    save_run(begin_run("12_attack", both), rows)
    save_run(begin_run("11_train", values(SEED=3)), {"clean_acc": 0.75, "n_test": 8})
    frame = load_runs("../results")
    assert tuple(frame.columns) == COLUMNS and len(frame) == 6
    train = frame[frame.notebook == "11_train"].iloc[0]
    assert (train.task, train.method, train.seed, train.backbone) == (
        "mini_films",
        "mvp",
        3,
        "mini-roberta",
    )
    robust = frame[frame.metric == "robust_acc"].set_index("method")
    assert robust.value.to_dict() == {"mvp": 0.5, "mlp_ft": 0.25}
    assert set(robust.variant) == {"n_train=50"} and set(robust.attack) == {"textfooler"}


def test_claims_keep_their_verdict(notebooks):
    claims = [claim("MVP is more robust", "p < 0.05", holds) for holds in (True, False, None)]
    save_run(begin_run("11_train", values()), {"n": 1}, claims)
    assert list(load_claims("../results").verdict) == ["holds", "does not hold", "left open"]
    with pytest.raises(BadInput, match="must be True, False or None"):
        claim("x", "y", "maybe")


def test_nothing_finished_gives_empty_tables(tmp_path):
    assert tuple(load_runs(tmp_path).columns) == COLUMNS and load_claims(tmp_path).empty


# --- runs of other notebooks -----------------------------------------------------------------


def test_find_run_finds_exactly_the_run_asked_for(notebooks):
    for method in ("mvp", "mlp_ft"):
        save_run(begin_run("11_train", values(METHOD=method)), {"n": 1})
    attack = begin_run("12_attack", {k: v for k, v in values().items() if k != "METHOD"})
    for method in ("mvp", "mlp_ft"):
        found = find_run("../results", "11_train", attack.parameters, METHOD=method)
        assert found.resolve().name == f"mini_films-{method}-s0"
    with pytest.raises(BadInput, match="run_all.py --only 11_train/mini_films-mvp-s7` first"):
        find_run("../results", "11_train", attack.parameters | {"SEED": 7})
    with pytest.raises(BadInput, match=r"11_train has no parameter METHDO .did you mean METHOD"):
        find_run("../results", "11_train", attack.parameters, METHDO="mvp")


def test_find_run_refuses_a_run_made_with_other_settings(notebooks):
    folder = save_run(begin_run("11_train", values()), {"n": 1})
    record = json.loads((folder / "run.json").read_text())
    for part, name in (("parameters", "N_TRAIN"), ("scale", "epochs")):
        other = json.loads(json.dumps(record))
        other[part][name] = 99
        (folder / "run.json").write_text(json.dumps(other))
        with pytest.raises(BadInput, match=f"was made with another {name}: run 11_train again"):
            find_run("../results", "11_train", values())


# --- the environment -------------------------------------------------------------------------


def fake_git(folder: Path, changes: str) -> None:
    folder.mkdir()
    script = folder / "git"
    script.write_text(f'#!/bin/sh\n[ "$1" = rev-parse ] && echo abc123 || printf "{changes}"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for git is a shell script")
@pytest.mark.parametrize(("changes", "dirty"), [("", False), (" M file", True)])
def test_the_commit_is_recorded_with_whether_files_differ(tmp_path, monkeypatch, changes, dirty):
    fake_git(tmp_path / "bin", changes)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert environment.commit(tmp_path) == {"commit": "abc123", "dirty": dirty}


def test_without_git_the_commit_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.commit(tmp_path) == {"commit": None, "dirty": None}


def test_the_environment_names_no_person_machine_or_folder():
    text = json.dumps(environment.environment())
    assert str(Path.home()) not in text and str(Path.cwd()) not in text
    assert "torch" in text and PARAMETERS not in text
