"""The published data sets, read from folders in their published layouts."""

import json
import logging
import re
from dataclasses import replace

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.readers import MRPC_HEADER
from mvp_skill.splits import drawn
from mvp_skill.tasks import TASKS, load_task

# --- topics, reviews and MRPC ------------------------------------------------------------------


def write_csv(path, n, n_classes):
    lines = [f'"{i % n_classes + 1}","Title {i}"," Content {i}. "' for i in range(n)]
    path.write_text("\n".join(lines) + "\n")


def write_mrpc(path, n):
    rows = [f"{i % 3 != 0:d}\t{i}\t{i}\tFirst {i} .\tSecond {i} ." for i in range(n)]
    path.write_text("\n".join(["\t".join(MRPC_HEADER), *rows]) + "\n", encoding="utf-8-sig")


def write_reviews(path, n, sort=False):
    labels = sorted(i % 2 for i in range(n)) if sort else [i % 2 for i in range(n)]
    rows = [{"id": f"x/{i}", "label": labels[i], "text": f"Review {i}<br />"} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def numbers(data, split):
    """The numbers that the writers above put into the first text."""
    return [int(re.search(r"\d+", texts[0])[0]) for texts in data[split]["texts"]]


def test_mrpc_keeps_both_sentences_and_the_published_test(tmp_path, caplog):
    write_mrpc(tmp_path / "msr_paraphrase_train.txt", 40)
    write_mrpc(tmp_path / "msr_paraphrase_test.txt", 13)
    data = load_task("mrpc", data_dir=tmp_path)
    assert data.num_rows == {"train": 38, "validation": 2, "test": 13}
    assert data["test"][:2] == {
        "texts": [["first 0 .", "second 0 ."], ["first 1 .", "second 1 ."]],
        "label": [0, 1],
    }
    assert numbers(data, "test") == list(range(13))
    assert sorted(numbers(data, "train") + numbers(data, "validation")) == list(range(40))
    assert "40 train rows, not the 3668 of the published data set" in caplog.text
    assert "13 held-out rows, not the 1725" in caplog.text
    write_mrpc(tmp_path / "train.tsv", 60)  # GLUE's file wins
    assert load_task("mrpc", data_dir=tmp_path).num_rows["train"] == 57


def test_dbpedia_with_both_files(tmp_path, caplog):
    write_csv(tmp_path / "train.csv", 40, 14)
    write_csv(tmp_path / "test.csv", 30, 14)
    data = load_task("dbpedia", data_dir=tmp_path)
    assert data.num_rows == {"train": 38, "validation": 2, "test": 30}
    assert data["test"][13] == {"texts": ["content 13."], "label": 13}
    assert numbers(data, "test") == list(range(30))
    assert "cut from them" not in caplog.text


@pytest.mark.parametrize(
    ("name", "file", "n_classes"),
    [("dbpedia", "test_sample.csv", 14), ("amazon_polarity", "test.csv", 2)],
)
def test_a_lone_test_file_is_cut_and_announced(tmp_path, caplog, name, file, n_classes):
    write_csv(tmp_path / file, 150, n_classes)
    data = load_task(name, data_dir=tmp_path)
    assert data.num_rows == {"train": 114, "validation": 6, "test": 30}
    everything = [i for split in data for i in numbers(data, split)]
    assert sorted(everything) == list(range(150))  # every row in one split
    assert f"{tmp_path / file}: there are test rows only" in caplog.text
    assert "the test is not the published one" in caplog.text
    assert "120 train rows, not the" in caplog.text and "30 held-out rows" in caplog.text
    again = load_task(name, data_dir=tmp_path, n_train=7)
    assert again["test"].to_list() == data["test"].to_list()


@pytest.mark.parametrize("name", ["sst2", "ag_news", "boolq", "mrpc", "imdb"])
def test_other_sets_refuse_a_lone_test_file(tmp_path, name):
    layout = TASKS[name].published.layouts[0]
    (tmp_path / layout.files["held_out"][-1]).write_text("")
    with pytest.raises(BadInput, match=f"has no file {re.escape(layout.files['train'][0])}"):
        load_task(name, data_dir=tmp_path)


@pytest.mark.parametrize("name", ["dbpedia", "amazon_polarity"])
def test_large_training_files_are_capped_before_the_cut(tmp_path, monkeypatch, name):
    n_classes = len(TASKS[name].label_names)
    write_csv(tmp_path / "train.csv", 300, n_classes)
    write_csv(tmp_path / "test.csv", 30, n_classes)
    assert TASKS[name].published.train_cap == 120_000
    capped = replace(TASKS[name].published, train_cap=100)
    monkeypatch.setitem(TASKS, name, replace(TASKS[name], published=capped))
    data = load_task(name, data_dir=tmp_path)
    assert data.num_rows == {"train": 95, "validation": 5, "test": 30}
    used = numbers(data, "train") + numbers(data, "validation")
    assert sorted(used) == sorted(drawn(300, 100))  # as from the hub


def test_imdb_in_parts_and_a_test_sorted_by_class(tmp_path, caplog):
    """Of a sorted file the first 1,000 rows, which are attacked, would be of one class."""
    write_reviews(tmp_path / "train.part1.jsonl", 30)
    write_reviews(tmp_path / "train.part2.jsonl", 31)
    write_reviews(tmp_path / "test.jsonl", 200, sort=True)
    data = load_task("imdb", data_dir=tmp_path)
    assert data.num_rows == {"train": 57, "validation": 4, "test": 200}
    assert set(data["test"]["label"][:20]) == {0, 1}
    assert sorted(numbers(data, "test")) == list(range(200))
    assert data["test"]["texts"][0][0].endswith("<br />")
    assert "61 train rows, not the 25000" in caplog.text
    again = load_task("imdb", data_dir=tmp_path)
    assert again["test"].to_list() == data["test"].to_list()
    write_reviews(tmp_path / "test.jsonl", 200)
    assert numbers(load_task("imdb", data_dir=tmp_path), "test") == list(range(200))


def test_rotten_tomatoes_are_cut_as_on_the_hub(tmp_path):
    for ending, sign in (("pos", ""), ("neg", "no ")):
        lines = [f"{sign}film {i} \u2013 \u2026 " for i in range(50)]
        (tmp_path / f"rt-polarity.{ending}").write_text("\n".join(lines), encoding="cp1252")
    data = load_task("rotten_tomatoes", data_dir=tmp_path)
    assert data.num_rows == {"train": 80, "validation": 10, "test": 10}
    for split, expected in (("train", range(40)), ("validation", range(40, 45))):
        assert numbers(data, split) == [*expected, *expected]  # positive rows first
        assert data[split]["label"][:5] == [1] * 5
    assert sorted(numbers(data, "test")) == sorted([*range(45, 50)] * 2)
    for row in data["test"]:
        assert row["texts"][0].startswith("no ") is (row["label"] == 0)
        assert row["texts"][0].endswith(" \u2013 \u2026")


def test_movie_rationales_from_either_layout(tmp_path, caplog):
    rows = [
        {"id": f"cv{fold}{i:02}_7", "label": i % 2, "text": f"Review {fold}{i:02}\n"}
        for fold in range(10)
        for i in range(3)
    ]
    (tmp_path / "polarity_v2.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    data = load_task("movie_rationales", data_dir=tmp_path)
    assert data.num_rows == {"train": 24, "validation": 3, "test": 3}
    assert sorted(numbers(data, "test")) == [900, 901, 902]
    assert "polarity dataset v2.0" in caplog.text
    (tmp_path / "docs").mkdir()
    for split, n in (("train", 4), ("val", 2), ("test", 3)):
        named = [f"{split}_{i}.txt" for i in range(n)]
        for i, name in enumerate(named):
            (tmp_path / "docs" / name).write_text(f"Document {i} .\n")
        lines = [{"annotation_id": x, "classification": ("NEG", "POS")[len(x) % 2]} for x in named]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    caplog.clear()
    data = load_task("movie_rationales", data_dir=tmp_path)  # ERASER's own files win
    assert data.num_rows == {"train": 4, "validation": 2, "test": 3}
    assert data["test"]["texts"][0] == ["document 0 ."]
    assert "polarity dataset v2.0" not in caplog.text


def test_whole_data_sets_are_not_announced(tmp_path, caplog, monkeypatch):
    write_mrpc(tmp_path / "train.tsv", 30)
    write_mrpc(tmp_path / "msr_paraphrase_test.txt", 13)
    task = TASKS["mrpc"]
    whole = replace(task.published.hub, label_counts={"train": (10, 20), "held_out": (5, 8)})
    published = replace(task.published, hub=whole)
    monkeypatch.setitem(TASKS, "mrpc", replace(task, published=published))
    with caplog.at_level(logging.WARNING):
        load_task("mrpc", data_dir=tmp_path)
    assert caplog.text == ""


def test_the_sentiment_sets_have_one_schema(tmp_path):
    for name in ("imdb", "rotten_tomatoes", "amazon_polarity", "movie_rationales", "sst2"):
        assert TASKS[name].label_names == ("negative", "positive")
        assert len(TASKS[name].columns) == 1
    write_csv(tmp_path / "test.csv", 40, 2)
    data = load_task("amazon_polarity", data_dir=tmp_path)
    assert data["train"].features == load_task("mini_films", n_train=2)["train"].features
    assert {*data["train"]["label"]} == {*data["test"]["label"]} == {0, 1}


# --- pairs and ethics --------------------------------------------------------------------------


def write_pairs(path, header, n, label):
    """Lines of a GLUE file; the number of its line stands in each text."""
    names = header.split()
    rows = []
    for i in range(n):
        of = {name: f"{i} {name} Text" for name in names} | {names[-1]: label(i)}
        rows.append("\t".join(of[name] for name in names))
    path.write_text("\n".join(["\t".join(names), *rows]) + "\n", encoding="utf-8")


ENTAILED = ("not_entailment", "entailment").__getitem__
PAIRS = {
    "qnli": ("index question sentence label", lambda i: ENTAILED(i % 2)),
    "qqp": ("id qid1 qid2 question1 question2 is_duplicate", lambda i: str(i % 2)),
    "rte": ("index sentence1 sentence2 label", lambda i: ENTAILED(i % 2)),
    "mnli_binary": (
        "index genre sentence1 sentence2 label1 gold_label",
        lambda i: ("contradiction", "entailment", "neutral")[i % 3],
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_b1_b6_glues_validation_is_measured_on_and_nothing_is_tuned_or_selected_there(
    tmp_path, name, caplog
):
    header, label = PAIRS[name]
    held_out = "dev_matched.tsv" if name == "mnli_binary" else "dev.tsv"
    write_pairs(tmp_path / "train.tsv", header, 60, label)
    write_pairs(tmp_path / held_out, header, 30, label)
    data = load_task(name, data_dir=tmp_path)
    kept = [i for i in range(60) if label(i) != "neutral"]
    assert numbers(data, "test") == [i for i in kept if i < 30]  # in the published order
    assert sorted(numbers(data, "train") + numbers(data, "validation")) == kept
    assert len(data["validation"]) == (2 if name == "mnli_binary" else 3)
    labels = [i % 3 if name == "mnli_binary" else i % 2 for i in kept if i < 30]
    assert [*data["test"]["label"]] == labels
    first = {"qnli": "question text?", "qqp": "question1 text"}.get(name, "sentence2 text")
    assert data["test"][0]["texts"][0] == f"0 {first}"
    assert f"{len(kept)} train rows, not the" in caplog.text


def test_qnli_is_cut_from_its_dev_file_where_there_is_nothing_else(tmp_path, caplog):
    write_pairs(tmp_path / "dev.tsv", *PAIRS["qnli"][:1], 150, PAIRS["qnli"][1])
    data = load_task("qnli", data_dir=tmp_path)
    assert data.num_rows == {"train": 114, "validation": 6, "test": 30}
    assert sorted(i for split in data for i in numbers(data, split)) == list(range(150))
    assert "the test is not the published one" in caplog.text


@pytest.mark.parametrize("inside", ["", "ethics", "ethics/deontology"])
def test_ethics_from_the_folders_it_may_lie_in(tmp_path, inside):
    folder = tmp_path / inside
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in (("train", 40), ("test", 7)):
        rows = [f"{i % 2},Scenario {i}?, No {i}" for i in range(n)]
        content = "\n".join(["label,scenario,excuse", *rows]) + "\n"
        (folder / f"deontology_{split}.csv").write_text(content)
    (folder / "deontology_test_hard.csv").write_text("label,scenario,excuse\n0,Hard,Very\n")
    data = load_task("ethics_deontology", data_dir=tmp_path, cased=True)
    assert data.num_rows == {"train": 38, "validation": 2, "test": 7}
    assert data["test"][1] == {"texts": ["Scenario 1?", "No 1"], "label": 1}
