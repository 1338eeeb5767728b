"""The log of an attack: complete, resumable, and never a mixture of two attacks."""

import csv
import json

import pytest
from attack_cases import MIXED, ONE, TWO, BagOfWords, examples, resources, without_seconds

from mvp_skill.attack_log import FIELDS, AttackLog
from mvp_skill.attack_recipes import textfooler
from mvp_skill.attacks import attack
from mvp_skill.errors import BadInput
from mvp_skill.textattack_csv import read_textattack_csv
from mvp_skill.textattack_import import textattack

PARAMETERS = {"victim": "v", "seed": 0, "columns": ("text",), "resources": {"k": 50}}


def record(index, outcome="failed", texts=("one text",), **fields):
    return {
        **{"index": index, "label": 1, "clean_pred": 1, "attacked_pred": 1, "outcome": outcome},
        **{"n_queries": 7, "perturbed_fraction": 0.25, "n_words": 4, "seconds": 0.5},
        **{"texts": list(texts), "attacked_texts": list(texts), "oracle": None, "error": None},
        **fields,
    }


def written(path, n=3):
    log = AttackLog(PARAMETERS, path)
    for index in range(n):
        log.append(record(index, texts=[f"text {index} naïve\u2028line\nend"], n_queries=index))
    return log


def test_round_trip(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    log = written(path)
    again = AttackLog.read(path)
    assert again.records == log.records and again.parameters == log.parameters
    assert AttackLog(PARAMETERS, path).records == log.records
    assert len(path.read_text(encoding="utf-8").split("\n")) == 1 + 3 + 1  # header, lines, end


def test_each_example_is_in_the_file_at_once(tmp_path):
    log = AttackLog(PARAMETERS, tmp_path / "log.jsonl")
    for index in range(3):
        log.append(record(index))
        assert len(AttackLog.read(log.path)) == index + 1


def test_a_log_in_memory_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    AttackLog(PARAMETERS).append(record(0))
    assert list(tmp_path.iterdir()) == []


def test_a_log_cut_anywhere_goes_on_to_the_same_file(tmp_path):
    whole = written(tmp_path / "whole.jsonl")
    content = whole.path.read_bytes()
    path = tmp_path / "cut.jsonl"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        log = AttackLog(PARAMETERS, path)
        assert len(log) == max(0, content[:size].count(b"\n") - 1)
        for earlier in whole.records[len(log) :]:
            log.append(earlier)
        assert path.read_bytes() == content, size


def test_reading_a_cut_log_leaves_the_file_alone(tmp_path):
    path = written(tmp_path / "log.jsonl").path
    cut = path.read_bytes()[:-5]
    path.write_bytes(cut)
    assert len(AttackLog.read(path)) == 2 and path.read_bytes() == cut


def test_other_parameters_are_refused_and_named(tmp_path):
    path = written(tmp_path / "log.jsonl").path
    before = path.read_bytes()
    for name, value in (("seed", 1), ("resources", {"k": 5}), ("more", True)):
        with pytest.raises(BadInput, match=f"belongs to another attack .{name}: "):
            AttackLog({**PARAMETERS, name: value}, path)
    with pytest.raises(BadInput, match="victim: v there, None here"):
        AttackLog({k: v for k, v in PARAMETERS.items() if k != "victim"}, path)
    assert path.read_bytes() == before


def test_damage_in_the_middle_names_the_line(tmp_path):
    path = written(tmp_path / "log.jsonl").path
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:30]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadInput, match="Line 3 of the attack log .* is damaged"):
        AttackLog.read(path)


@pytest.mark.parametrize("content", ['{"a": 1}\n', "[1, 2]\n", '{"attack_log": 2}\n'])
def test_other_files_are_refused_and_kept(tmp_path, content):
    path = tmp_path / "other.jsonl"
    path.write_text(content)
    for open_log in (AttackLog.read, lambda path: AttackLog(PARAMETERS, path)):
        with pytest.raises(BadInput, match="is not an attack log"):
            open_log(path)
    assert path.read_text() == content


def test_missing_and_empty_logs(tmp_path):
    with pytest.raises(BadInput, match="There is no attack log at"):
        AttackLog.read(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").touch()
    with pytest.raises(BadInput, match="is empty"):
        AttackLog.read(tmp_path / "log.jsonl")


@pytest.mark.parametrize(
    "wrong",
    [
        record(-1),  # of no example
        {**record(0), "more": 1},
        {k: v for k, v in record(0).items() if k != "oracle"},
        record(0, outcome="won"),
    ],
)
def test_wrong_records_are_not_written(tmp_path, wrong):
    log = AttackLog(PARAMETERS, tmp_path / "log.jsonl")
    with pytest.raises(ValueError):
        log.append(wrong)
    assert len(AttackLog.read(log.path)) == len(log) == 0


def test_to_frame():
    log = AttackLog(PARAMETERS)
    log.append(record(0, texts=["a passage", "a question?"]))
    log.append(record(1, "error", clean_pred=None, n_queries=None, error="ValueError: x"))
    frame = log.to_frame()
    assert list(frame.columns) == [*FIELDS, "text", "attacked_text"]
    assert frame["text"].tolist() == ["a passage\na question?", "one text"]
    assert frame["texts"][0] == ["a passage", "a question?"]
    assert frame["outcome"].tolist() == ["failed", "error"]
    assert list(AttackLog(PARAMETERS).to_frame().columns) == list(frame.columns)


# --- TextAttack's CSV ---------------------------------------------------------------------------

PAIRS = examples(
    (["a good film with a cast", "is the film seen?"], 1),
    (["no plot", "was it there?"], 0),
    (["a bad film", "was it?"], 1),
)


@pytest.mark.parametrize(("task", "rows"), [(ONE, MIXED), (TWO, PAIRS)])
def test_a_csv_of_textattack_gives_the_same_log(tmp_path, task, rows):
    ta = textattack()
    path = tmp_path / "log.csv"
    columns = list(task.columns)
    data = [
        (row["texts"][0] if len(columns) == 1 else tuple(row["texts"]), row["label"])
        for row in rows
    ]
    dataset = ta.datasets.Dataset(data, input_columns=columns)
    arguments = ta.AttackArgs(
        num_examples=len(rows), disable_stdout=True, silent=True, log_to_csv=str(path)
    )
    made = textfooler(BagOfWords(), task, resources())
    ta.Attacker(made, dataset, arguments).attack_dataset()

    found = read_textattack_csv(path, columns)
    own = attack(BagOfWords(), rows, task=task, resources=resources(), progress=False)
    expected = without_seconds(own.records)
    assert {r["outcome"] for r in expected} >= {"succeeded", "failed"}
    assert without_seconds(found.records) == expected


def csv_file(path, **changes):
    row = {
        **{"original_text": "a [[good]] film", "perturbed_text": "a [[okay]] film"},
        **{"original_score": 0.1, "perturbed_score": 0.7, "original_output": 1.0},
        **{"perturbed_output": 0.0, "ground_truth_output": 1.0, "num_queries": 5.0},
        "result_type": "Successful",
    }
    row |= changes
    row = {name: value for name, value in row.items() if value is not None}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row, quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        writer.writerow(row)
    return path


def test_csv_numbers_may_be_written_as_floats(tmp_path):
    (found,) = read_textattack_csv(csv_file(tmp_path / "a.csv")).records
    assert found["texts"] == ["a good film"] and found["attacked_texts"] == ["a okay film"]
    assert (found["label"], found["clean_pred"], found["attacked_pred"]) == (1, 1, 0)
    assert found["perturbed_fraction"] == 1 / 3 and found["n_queries"] == 5
    json.dumps(found)


@pytest.mark.parametrize(
    ("changes", "columns", "sentence"),
    [
        ({"num_queries": None}, ["text"], "lacks the columns .'num_queries'.; give a file of"),
        ({"result_type": "Maximized"}, ["text"], "Example 0 of .*'Maximized'"),
        ({"original_output": "a summary"}, ["text"], "Example 0 of "),
        ({}, ["premise", "hypothesis"], "Example 0 of .* over the columns .'premise', 'hypoth"),
        (
            {"original_text": "Premise: a<SPLIT>b: c"},
            ["premise", "b"],
            "Example 0 of .*do not begin with .'Premise: ', 'B: '",
        ),
    ],
)
def test_other_csv_files_are_refused(tmp_path, changes, columns, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_textattack_csv(csv_file(tmp_path / "a.csv", **changes), columns)
    with pytest.raises(BadInput, match="There is no CSV file"):
        read_textattack_csv(tmp_path / "b.csv")
