"""Adversarial sets: a test split only, from AdvGLUE's file or the mini world's own."""

import json
import logging

import pyarrow.parquet as pq
import pytest
from pyarrow import table

from mvp_skill import adversarial, hub
from mvp_skill.errors import BadInput
from mvp_skill.tasks import ADVERSARIAL, TASKS, load_task, task_named

ADV_GLUE = {
    "sst2": [{"idx": 0, "sentence": " A Fine film ", "label": 1}, {"sentence": "bad", "label": 0}],
    "qqp": [{"question1": "A?", "question2": "B?", "label": 1}],
    "qnli": [
        {"question": "Who", "sentence": "S0", "label": 0},
        {"question": "Why?", "sentence": "S1", "label": 1},
    ],
    "mnli": [
        {"premise": "P0", "hypothesis": "H0", "label": 0},
        {"premise": "P1", "hypothesis": "H1", "label": 1},
        {"premise": "P2", "hypothesis": "H2", "label": 2},
    ],
    "mnli-mm": [{"premise": "P", "hypothesis": "H", "label": 0}],
    "rte": [{"sentence1": "P0", "sentence2": "H0", "label": 0}],
}
MINI = [name for name in ADVERSARIAL if name.startswith("mini_")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "dev.json").write_text(json.dumps(ADV_GLUE))
    return tmp_path


def rows(data):
    return [(tuple(row["texts"]), row["label"]) for row in data["test"]]


def test_every_adversarial_set_is_as_its_clean_task_but_for_the_splits():
    for name, task in ADVERSARIAL.items():
        clean = TASKS[task.clean]
        assert task_named(name) is task and task.name == name not in TASKS
        same = ("label_names", "columns", "frozen", "max_perturbed_fraction")
        assert all(getattr(task, field) == getattr(clean, field) for field in same)
        assert task.splits == ("test",) and not task.generated
        assert clean.splits == ("train", "validation", "test")


def test_adv_glue_is_flipped_reordered_and_filtered_as_the_clean_tasks(folder, caplog):
    found = {
        name: rows(load_task(name, data_dir=folder, cased=True))
        for name in ("adv_sst2", "adv_qqp", "adv_qnli", "adv_mnli", "adv_rte")
    }
    assert found == {
        "adv_sst2": [(("A Fine film",), 1), (("bad",), 0)],
        "adv_qqp": [(("A?", "B?"), 1)],
        "adv_qnli": [(("Who", "S0"), 1), (("Why?", "S1"), 0)],
        "adv_mnli": [(("H0", "P0"), 1), (("H2", "P2"), 0)],
        "adv_rte": [(("H0", "P0"), 1)],
    }
    assert "dev.json is not the published dev file of AdvGLUE" in caplog.text
    assert "2 test rows, not the 148" in caplog.text and "2 test rows, not the 82" in caplog.text


def test_there_is_a_test_split_and_nothing_else(folder):
    data = load_task("adv_sst2", data_dir=folder)
    assert list(data) == ["test"] and rows(data) == [(("a fine film",), 1), (("bad",), 0)]
    assert load_task("adv_sst2", data_dir=folder, n_test=1).num_rows == {"test": 1}
    description = data["test"].info.description
    assert "adv_sst2, test: 2 rows" in description and "dev.json" in description


@pytest.mark.parametrize("split", ["train", "validation"])
def test_b1_rows_to_tune_or_select_on_are_refused(folder, split):
    with pytest.raises(BadInput, match=f"adv_sst2 has a test split only.*the {split} rows of sst2"):
        load_task("adv_sst2", data_dir=folder, **{f"n_{split}": 5})


@pytest.mark.parametrize("name", ["adv_sst2", "adversarial", "adv_glue"])
def test_one_data_dir_serves_all_tasks(tmp_path, folder, name):
    own = tmp_path / "all" / name
    own.mkdir(parents=True)
    (folder / "dev.json").rename(own / "adv_glue_dev.json")
    assert len(load_task("adv_sst2", data_dir=own.parent)["test"]) == 2


def test_the_published_file_is_recognised(folder, caplog, monkeypatch):
    import hashlib

    digest = hashlib.sha256((folder / "dev.json").read_bytes()).hexdigest()
    monkeypatch.setattr(adversarial, "ADV_GLUE_SHA256", digest)
    with caplog.at_level(logging.WARNING):
        load_task("adv_qqp", data_dir=folder)
    assert "SHA-256" not in caplog.text


BAD = {
    "no JSON": ("[", "is not valid JSON"),
    "a list": ("[]", "has no list 'sst2'; it must be AdvGLUE's dev.json"),
    "another task": (json.dumps({"qqp": []}), "has no list 'sst2'"),
    "no entries": (json.dumps({"sst2": []}), "contains no rows"),
    "no text": (json.dumps({"sst2": [{"sentence": "a", "label": 0}, {"label": 1}]}), "entry 1: "),
    "a label in words": (json.dumps({"sst2": [{"sentence": "a", "label": "0"}]}), "entry 0: "),
    "label true": (json.dumps({"sst2": [{"sentence": "a", "label": True}]}), "entry 0: expected"),
    "label 2": (json.dumps({"sst2": [{"sentence": "a", "label": 2}]}), "['sentence', 'label']"),
    "a hidden label": (json.dumps({"sst2": [{"sentence": "a", "label": -1}]}), "sst2, entry 0"),
    "a string": (json.dumps({"sst2": ["a"]}), "found 'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(tmp_path, case):
    content, said = BAD[case]
    (tmp_path / "dev.json").write_text(content)
    with pytest.raises(BadInput) as error:
        load_task("adv_sst2", data_dir=tmp_path)
    assert str(error.value).startswith(str(tmp_path / "dev.json")) and said in str(error.value)


def test_adv_glue_from_the_hub_is_the_same(tmp_path, monkeypatch):
    """82 of 121 rows of MNLI are not neutral."""
    counts = (32, 39, 50)
    labels = [label for label, n in enumerate(counts) for _ in range(n)]

    def cached(repository, file, revision, remedy):
        assert repository == "AI-Secure/adv_glue" and len(revision) == 40
        assert file == "adv_mnli/validation-00000-of-00001.parquet"
        path = tmp_path / "adv_mnli.parquet"
        numbers = range(len(labels))
        columns = {"premise": [f"P{i}" for i in numbers], "hypothesis": [f"H{i}" for i in numbers]}
        pq.write_table(table(columns | {"idx": list(numbers), "label": labels}), path)
        return path

    monkeypatch.setattr(hub, "hub_file", cached)
    found = rows(load_task("adv_mnli", cased=True))
    assert len(found) == 82 and sum(label for _, label in found) == 32
    for (hypothesis, premise), label in found:
        number = int(premise[1:])
        assert hypothesis == f"H{number}" and labels[number] == {1: 0, 0: 2}[label]


# --- the mini world's own ----------------------------------------------------------------------

HEADER = {"task": "mini_adv_films", "clean_task": "mini_films", "provenance": "made for a test"}
RECORD = {"texts": ["a dull film"], "label": 0, "original_texts": ["a dire film"], "method": "x"}


def write_mini(monkeypatch, tmp_path, *lines, name="mini_adv_films"):
    monkeypatch.setattr(adversarial, "MINI_FOLDER", tmp_path / "mini" / "adversarial")
    path = tmp_path / "mini" / "adversarial" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_mini_set_is_read_from_its_file(monkeypatch, tmp_path):
    other = {"texts": [" a Good film"], "label": 1, "original_texts": ["a fine film"]}
    write_mini(monkeypatch, tmp_path, HEADER, RECORD, other)
    data = load_task("mini_adv_films")
    assert rows(data) == [(("a dull film",), 0), (("a good film",), 1)]
    assert data["test"].features == load_task("mini_films", n_train=1)["test"].features
    assert "mini_adv_films.jsonl of the mini world" in data["test"].info.description
    header, records = adversarial.mini_records("mini_adv_films", ("text",), 2)
    assert header == HEADER and records == [RECORD, other]
    with pytest.raises(BadInput, match="test split only.*of mini_films"):
        load_task("mini_adv_films", n_train=3)
    with pytest.raises(BadInput, match="same data for every seed"):
        load_task("mini_adv_films", seed=1)
    with pytest.raises(BadInput, match="reads no files"):
        load_task("mini_adv_films", data_dir=tmp_path)


@pytest.mark.parametrize("name", MINI)
def test_a_mini_set_that_is_not_there_is_refused_in_one_sentence(monkeypatch, tmp_path, name):
    monkeypatch.setattr(adversarial, "MINI_FOLDER", tmp_path / "mini" / "adversarial")
    with pytest.raises(BadInput) as error:
        load_task(name)
    said = f"{name} is read from {name}.jsonl, which this copy of the package does not have in mini"
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


PAIR = RECORD | {"texts": ["p", "h"], "original_texts": ["p", "g"]}
BAD_MINI = {
    "no header": ((RECORD, RECORD), 1, "header with task"),
    "another task's header": ((HEADER | {"task": "mini_adv_nli"}, RECORD), 1, "header with task"),
    "no provenance": ((HEADER | {"provenance": ""}, RECORD), 1, "provenance"),
    "no original": ((HEADER, RECORD, {"texts": ["a"], "label": 0}), 3, "original_texts (1 each)"),
    "a pair": ((HEADER, PAIR), 2, "(1 each)"),
    "an empty text": ((HEADER, RECORD | {"texts": [" "]}), 2, "texts and original_texts"),
    "a string": ((HEADER, RECORD | {"texts": "a"}), 2, "texts and original_texts"),
    "label 2": ((HEADER, RECORD | {"label": 2}), 2, "a label below 2"),
    "label true": ((HEADER, RECORD | {"label": True}), 2, "a label below 2"),
}


@pytest.mark.parametrize("case", BAD_MINI)
def test_bad_lines_of_a_mini_set_are_named(monkeypatch, tmp_path, case):
    lines, number, said = BAD_MINI[case]
    path = write_mini(monkeypatch, tmp_path, *lines)
    with pytest.raises(BadInput) as error:
        load_task("mini_adv_films")
    assert str(error.value).startswith(f"{path}, line {number}: ") and said in str(error.value)


def test_a_mini_set_without_rows_is_refused(monkeypatch, tmp_path):
    write_mini(monkeypatch, tmp_path, HEADER)
    with pytest.raises(BadInput, match="contains no rows"):
        load_task("mini_adv_films")
