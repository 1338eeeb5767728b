"""The mini world's adversarial sets: who made them, and whether every label still holds."""

import json

import pytest

from mvp_skill.adversarial import MINI_FOLDER, mini_records
from mvp_skill.errors import BadInput
from mvp_skill.mini import adversarial_sets, oracle
from mvp_skill.mini.adversarial_sets import RECIPES, TASKS, VICTIMS, balanced, make_set
from mvp_skill.task_types import adversarial_task
from mvp_skill.tasks import load_task, task_named

SETS = [adversarial_task(task) for task in TASKS]


@pytest.fixture(params=SETS)
def shipped(request):
    task = task_named(request.param)
    return task, *mini_records(task.name, task.columns, len(task.label_names))


def test_of_every_shipped_text_the_label_is_kept(shipped):
    task, _, records = shipped
    for record in records:
        told = (record["original_texts"], record["texts"], record["label"])
        found = oracle.verdict(task.clean, *told)
        assert found == "kept", record
        assert record["texts"] != record["original_texts"]


def test_shipped_sets_are_balanced_and_say_how_they_were_made(shipped):
    task, header, records = shipped
    labels = [record["label"] for record in records]
    assert [labels.count(label) for label in (0, 1)] == [len(labels) // 2] * 2
    assert len(labels) >= 60
    made = header["provenance"]
    assert made["victims"] == list(VICTIMS) and made["attacks"] == list(RECIPES)
    assert {record["victim"] for record in records} <= set(VICTIMS)
    assert {record["attack"] for record in records} <= set(RECIPES)


def test_shipped_texts_come_from_the_test_split_and_no_text_comes_twice(shipped):
    task, header, records = shipped
    rows = load_task(task.clean, n_test=header["provenance"]["n_attacked"])["test"]
    there = {tuple(texts): label for texts, label in zip(rows["texts"], rows["label"], strict=True)}
    originals = [tuple(record["original_texts"]) for record in records]
    assert len(set(originals)) == len(originals)
    assert all(there[texts] == r["label"] for texts, r in zip(originals, records, strict=True))


def test_what_an_attack_may_not_change_is_as_it_was(shipped):
    task, _, records = shipped
    for record in records:
        for column, new, old in zip(
            task.columns, record["texts"], record["original_texts"], strict=True
        ):
            assert new == old or column not in task.frozen


def test_records_are_cut_to_equal_classes():
    records = [{"label": label, "number": n} for n, label in enumerate([1, 1, 0, 1, 0, 1])]
    assert [r["number"] for r in balanced(records, 100)] == [2, 0, 4, 1]
    assert [r["number"] for r in balanced(records, 3)] == [2, 0]


def test_a_set_can_be_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial_sets, "RECIPES", ("misspelling",))
    monkeypatch.setattr(adversarial_sets, "VICTIMS", ("mlp_ft",))
    tiny = {"N_TRAIN": 60, "N_VALIDATION": 20, "N_TEST": 12, "N_ATTACKED": 12, "EPOCHS": 1}
    path = make_set("mini_films", tmp_path / "out", tmp_path, 6, **tiny)
    header, *records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert path.name == "mini_adv_films.jsonl" and header["clean_task"] == "mini_films"
    assert 2 <= len(records) <= 6 and {r["attack"] for r in records} == {"misspelling"}
    again = make_set("mini_films", tmp_path / "out", tmp_path / "again", 6, **tiny)
    assert again.read_text("utf-8") == path.read_text("utf-8")


def test_a_set_without_a_text_is_no_set(tmp_path, monkeypatch):
    monkeypatch.setattr(oracle, "verdict", lambda *given: "changed")
    monkeypatch.setattr(adversarial_sets, "RECIPES", ("misspelling",))
    monkeypatch.setattr(adversarial_sets, "VICTIMS", ("mlp_ft",))
    tiny = {"N_TRAIN": 40, "N_VALIDATION": 20, "N_TEST": 4, "N_ATTACKED": 4, "EPOCHS": 1}
    with pytest.raises(BadInput, match="No attack on mini_films kept the label"):
        make_set("mini_films", tmp_path / "out", tmp_path, **tiny)


def test_the_folder_is_where_the_sets_are_read():
    assert MINI_FOLDER.name == "adversarial" and MINI_FOLDER.parent.name == "mini"
