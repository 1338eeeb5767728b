"""Tasks: registry, reference splits, one schema, the same data everywhere."""

import json
import re
import subprocess
import sys

import pytest
from datasets import ClassLabel, Dataset

from mvp_skill.errors import BadInput
from mvp_skill.tasks import ADVERSARIAL, SPLITS, TASKS, folder_of, load_task, task_named

PAIRS = {
    "mrpc": (("sentence1", "sentence2"), ()),  # both may be changed
    "boolq": (("passage", "question"), ("question",)),
    "mini_questions": (("passage", "question"), ("question",)),
    "mini_nli": (("premise", "hypothesis"), ("premise",)),
    "mini_nli_binary": (("premise", "hypothesis"), ("premise",)),
    "mini_answers": (("question", "sentence"), ("question",)),
    "mini_paraphrases": (("first", "second"), ()),
    "mini_duplicates": (("first", "second"), ()),
    "mini_excuses": (("scenario", "excuse"), ("scenario",)),
    "qqp": (("question1", "question2"), ()),
    "qnli": (("question", "sentence"), ("question",)),
    "mnli_binary": (("hypothesis", "premise"), ("premise",)),
    "rte": (("hypothesis", "premise"), ("premise",)),
    "ethics_deontology": (("scenario", "excuse"), ("scenario",)),
}
MINI = [name for name in TASKS if name.startswith("mini_")]


def sst2_folder(tmp_path, n_train=60, n_dev=7):
    """SST-2 files; every seventh training sentence has no letter."""
    train = [f"{i} !\t{i % 2}" if i % 7 == 0 else f"Film {i} \t{i % 2}" for i in range(n_train)]
    dev = [f"Dev {i}\t{i % 2}" for i in range(n_dev - 1)] + ["... !\t1"]
    (tmp_path / "train.tsv").write_text("sentence\tlabel\n" + "\n".join(train) + "\n")
    (tmp_path / "dev.tsv").write_text("\n".join(dev) + "\n")
    return tmp_path


def boolq_folder(tmp_path, n_val=33):
    rows = [
        {"question": f"Is it {i}", "passage": f" It is {i}. ", "label": i % 3 == 0}
        for i in range(n_val)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "train.jsonl").write_text(lines)
    (tmp_path / "val.jsonl").write_text(lines)
    return tmp_path


# --- the registry ------------------------------------------------------------------------------


def test_unknown_tasks_are_refused_with_the_allowed_names():
    for call in (task_named, load_task):
        with pytest.raises(BadInput) as error:
            call("sst3")
        assert all(name in str(error.value) for name in TASKS | ADVERSARIAL)


def test_columns_and_frozen_columns():
    for name, task in TASKS.items():
        columns, frozen = PAIRS.get(name, (task.columns, ()))
        assert (task.name, task.columns, task.frozen) == (name, columns, frozen)
        assert len(task.columns) == (2 if name in PAIRS else 1)


def test_share_of_words_an_attack_may_change():
    low = {"sst2", "boolq", "imdb", "mini_films", "mini_restaurants", "mini_questions"}
    assert {n for n, task in TASKS.items() if task.max_perturbed_fraction == 0.1} == low
    assert {task.max_perturbed_fraction for task in TASKS.values()} == {0.1, 0.3}


def test_classes_of_published_tasks():
    assert TASKS["sst2"].label_names == ("negative", "positive")
    assert TASKS["boolq"].label_names == ("false", "true")
    assert TASKS["ag_news"].label_names == ("world", "sports", "business", "sci-tech")
    # Class 0 and 1 as Ackermann and Ohmer 2023 have them: QNLI and RTE are flipped against GLUE.
    assert TASKS["qnli"].label_names == TASKS["rte"].label_names == ("not entailed", "entailed")
    assert TASKS["mnli_binary"].label_names == ("contradiction", "entailment")
    assert TASKS["qqp"].label_names == ("not duplicate", "duplicate")
    for name in ("ethics_deontology", "ethics_justice"):
        assert TASKS[name].label_names == ("unacceptable", "acceptable")


# --- reference splits --------------------------------------------------------------------------


def test_sst2_is_cut_first_and_filtered_then(tmp_path):
    """Against the splitter of `datasets` on the rows themselves."""
    data = load_task("sst2", data_dir=sst2_folder(tmp_path))
    lines = (tmp_path / "train.tsv").read_text().splitlines()[1:]
    expected = Dataset.from_dict({"line": lines}).train_test_split(
        train_size=0.95, test_size=0.05, seed=0
    )
    for split, theirs in (("train", "train"), ("validation", "test")):
        kept = [line for line in expected[theirs]["line"] if re.search("[A-Za-z]", line)]
        assert [row["texts"] for row in data[split]] == [
            [line.split("\t")[0].lower().strip()] for line in kept
        ]
        assert [*data[split]["label"]] == [int(line.split("\t")[1]) for line in kept]
    assert [*data["test"]["texts"]] == [[f"dev {i}"] for i in range(6)]  # in the file's order


def test_boolq_test_is_the_first_half(tmp_path):
    data = load_task("boolq", data_dir=boolq_folder(tmp_path))
    expected = Dataset.from_dict({"i": range(33)}).train_test_split(
        train_size=0.5, test_size=0.5, seed=0
    )
    for split, theirs in (("test", "train"), ("validation", "test")):
        numbers = expected[theirs]["i"]
        assert [*data[split]["texts"]] == [[f"it is {i}.", f"is it {i}?"] for i in numbers]
        assert [*data[split]["label"]] == [int(i % 3 == 0) for i in numbers]
    assert data["train"]["texts"][:2] == [["it is 0.", "is it 0?"], ["it is 1.", "is it 1?"]]


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(BadInput, match="19 rows are too few"):
        load_task("sst2", data_dir=sst2_folder(tmp_path, n_train=19))


# --- what load_task gives ----------------------------------------------------------------------


@pytest.mark.parametrize("name", MINI)
def test_mini_tasks_have_the_one_schema(name):
    data = load_task(name, n_train=9, n_validation=5, n_test=7)
    assert tuple(data) == SPLITS and data.num_rows == {"train": 9, "validation": 5, "test": 7}
    for split in SPLITS:
        assert data[split].features["label"] == ClassLabel(names=list(TASKS[name].label_names))
        assert data[split].features["texts"].feature.dtype == "string"
        assert {len(texts) for texts in data[split]["texts"]} == {len(TASKS[name].columns)}
        assert all(
            text == text.lower().strip() != "" for row in data[split] for text in row["texts"]
        )
    assert "mini world" in data["test"].info.description


def test_published_tasks_have_the_same_schema(tmp_path):
    mini = load_task("mini_films", n_train=4, n_validation=4, n_test=4)
    data = load_task("sst2", data_dir=str(sst2_folder(tmp_path)))
    assert data["train"].features == mini["train"].features
    description = data["train"].info.description
    assert "sst2, train" in description and str(tmp_path / "train.tsv") in description


def test_a_folder_of_the_tasks_name_inside_data_dir_comes_first(tmp_path):
    files = sst2_folder(tmp_path)
    own = tmp_path / "all" / "sst2"
    own.mkdir(parents=True)
    for path in files.iterdir():
        if path.is_file():
            (own / path.name).write_bytes(path.read_bytes())
    inside, beside = (load_task("sst2", data_dir=folder) for folder in (own.parent, own))
    assert inside["train"]["texts"] == beside["train"]["texts"]
    assert str(own / "train.tsv") in inside["train"].info.description
    assert folder_of(None, "sst2") is None and folder_of(str(own), "sst2") == str(own)
    own.rename(own.with_name("SST-2"))  # as in GLUE's own download
    assert folder_of(own.parent, "sst2") == own.with_name("SST-2")
    assert folder_of(own.parent, "mini_films") == own.parent


def test_pitfall_11_a_question_ends_with_one_question_mark_everywhere(tmp_path):
    folder = boolq_folder(tmp_path)
    for question in ("Is it so", "Is it so?"):
        row = {"question": question, "passage": "P", "label": True}
        (folder / "train.jsonl").write_text(json.dumps(row) + "\n")
        assert load_task("boolq", data_dir=folder)["train"][0]["texts"] == ["p", "is it so?"]
    for name in ("mini_questions", "mini_answers"):
        column = TASKS[name].columns.index("question")
        for texts in load_task(name, n_train=20, n_validation=1, n_test=1)["train"]["texts"]:
            assert texts[column].count("?") == 1 and texts[column].endswith("?")


def test_cased_texts_are_as_published_but_for_the_space_around_them(tmp_path):
    folder = sst2_folder(tmp_path)
    plain, cased = (load_task("sst2", data_dir=folder, cased=asked) for asked in (False, True))
    assert plain["test"][0]["texts"] == ["dev 0"] and cased["test"][0]["texts"] == ["Dev 0"]
    for split in SPLITS:
        lowered = [[text.lower() for text in texts] for texts in cased[split]["texts"]]
        assert lowered == [*plain[split]["texts"]] and len(lowered) > 0
        assert [*cased[split]["label"]] == [*plain[split]["label"]]
    assert {text for [text] in cased["train"]["texts"]} <= {f"Film {i}" for i in range(60)}
    questions = load_task("boolq", data_dir=boolq_folder(tmp_path), cased=True)
    assert questions["train"][0]["texts"] == ["It is 0.", "Is it 0"]  # no question mark is added


def test_cased_data_are_other_data_for_whatever_is_stored(tmp_path):
    folder = sst2_folder(tmp_path)
    plain, cased = (load_task("sst2", data_dir=folder, cased=asked) for asked in (False, True))
    for split in SPLITS:
        assert plain[split]._fingerprint != cased[split]._fingerprint
        assert cased[split].info.description == f"{plain[split].info.description}, cased"
    with pytest.raises(BadInput, match="CASED must be True or False, not 'no'"):
        load_task("sst2", data_dir=folder, cased="no")


def test_mini_sizes_and_seed_reach_the_generator(monkeypatch):
    from mvp_skill.mini import tasks as mini

    calls = []

    def generate(name, **options):
        calls.append((name, options))
        return {split: [{"texts": ["A Fine film "], "label": 1}] for split in SPLITS}

    monkeypatch.setenv("MVP_SKILL_CACHE", "off")
    monkeypatch.setattr(mini, "generate", generate)
    data = load_task("mini_films", n_train=3, n_test=2, seed=5)
    load_task("mini_news")
    assert calls == [
        ("mini_films", {"n_train": 3, "n_test": 2, "seed": 5}),
        ("mini_news", {"seed": 0}),
    ]
    assert data["validation"][0] == {"texts": ["a fine film"], "label": 1}


def test_other_seeds_give_other_mini_data():
    sizes = {"n_train": 8, "n_validation": 2, "n_test": 2}
    first, again, other = (load_task("mini_films", seed=seed, **sizes) for seed in (0, 0, 1))
    assert first["train"].to_list() == again["train"].to_list() != other["train"].to_list()


def test_subsets_are_the_same_every_time(tmp_path):
    folder = sst2_folder(tmp_path)

    def train_texts(**sizes):
        data = load_task("sst2", data_dir=folder, **sizes)
        return [texts[0] for texts in data["train"]["texts"]]

    everything, five, twelve = train_texts(), train_texts(n_train=5), train_texts(n_train=12)
    assert five == train_texts(n_train=5, n_test=3)
    assert (len(five), len(twelve)) == (5, 12)
    assert set(five) < set(twelve) < set(everything)  # a larger subset contains the smaller one
    assert twelve != everything[:12]  # drawn at random, not the first ones


def test_fewer_rows_than_wanted_are_announced(tmp_path, caplog):
    data = load_task("sst2", data_dir=sst2_folder(tmp_path), n_test=100)
    assert data["test"].num_rows == 6
    assert "sst2: 6 test rows, not 100" in caplog.text


@pytest.mark.parametrize("count", [0, -3, 2.5, "all"])
def test_bad_counts_are_refused(count):
    with pytest.raises(BadInput, match="N_VALIDATION must be"):
        load_task("mini_films", n_validation=count)


def test_misplaced_arguments_are_refused(tmp_path):
    with pytest.raises(BadInput, match="reads no files.*sst2, ag_news, boolq"):
        load_task("mini_films", data_dir=tmp_path)
    with pytest.raises(BadInput, match="same data for every seed.*seed=1"):
        load_task("sst2", data_dir=sst2_folder(tmp_path), seed=1)


def test_a_bad_row_is_named_through_load_task(tmp_path):
    folder = sst2_folder(tmp_path)
    with (folder / "train.tsv").open("a") as file:
        file.write("fine\tpositive\n")
    with pytest.raises(BadInput, match=r"train\.tsv, line 62: has the label 'positive'"):
        load_task("sst2", data_dir=folder)


# --- in other processes ------------------------------------------------------------------------

DIGEST = """
import hashlib, sys
from mvp_skill.tasks import SPLITS, load_task
assert not {"torch", "datasets", "transformers"} & set(sys.modules), "the import must be light"
digest = hashlib.sha256()
sizes = dict(n_train=11, n_validation=5, n_test=6)
for data in (load_task("mini_films", **sizes), load_task("mini_nli", **sizes),
             load_task("sst2", data_dir=sys.argv[1], n_train=20)):
    for split in SPLITS:
        digest.update(repr(data[split].to_dict()).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_the_same_data_in_two_processes(tmp_path, repository, monkeypatch):
    folder = sst2_folder(tmp_path)
    digests = set()
    for hash_seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        command = [sys.executable, "-c", DIGEST, str(folder)]
        run = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stderr
        digests.add(run.stdout)
    assert len(digests) == 1
