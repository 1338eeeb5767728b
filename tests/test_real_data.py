"""The real files in their published layouts; skipped where their folders are absent."""

import logging

import pytest

from mvp_skill.domains import unseen
from mvp_skill.tasks import load_task

# Rows of each split, and of the test those of class 0 and 1.
PAIRS = {
    "qqp": ((1900, 100, 7600), [4871, 2729]),
    "qnli": ((4151, 219, 1093), None),
    "mnli_binary": ((1904, 101, 5116), [2435, 2681]),
    "rte": ((2365, 125, 277), [131, 146]),
    "ethics_deontology": ((17255, 909, 3596), [1810, 1786]),
    "ethics_justice": ((20701, 1090, 2704), [1350, 1354]),
}
ADV_GLUE = {
    "adv_sst2": [72, 76],
    "adv_qqp": [46, 32],
    "adv_qnli": [74, 74],
    "adv_mnli": [50, 32],
    "adv_rte": [46, 35],
}


def shared_folder(repository, name):
    folder = repository.parent / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


def counts(split, n_classes):
    labels = list(split["label"])
    return [labels.count(label) for label in range(n_classes)]


def test_real_sst2(repository):
    data = load_task("sst2", data_dir=shared_folder(repository, "sst2"))
    assert data.num_rows == {"train": 6574, "validation": 346, "test": 872}
    assert [data["test"]["label"].count(label) for label in (0, 1)] == [428, 444]


def test_real_ag_news(repository, caplog):
    data = load_task("ag_news", data_dir=shared_folder(repository, "ag_news"), n_train=500)
    assert data.num_rows == {"train": 500, "validation": 200, "test": 7600}
    assert [data["test"]["label"].count(label) for label in range(4)] == [1900] * 4
    assert "train_sample.csv" in caplog.text


def test_real_boolq(repository):
    data = load_task("boolq", data_dir=shared_folder(repository, "boolq"))
    assert data.num_rows == {"train": 2000, "validation": 1635, "test": 1635}
    labels = [*data["test"]["label"], *data["validation"]["label"]]
    assert [labels.count(label) for label in (0, 1)] == [1237, 2033]
    assert all(
        texts[1].endswith("?") and texts[1].count("?") == 1 for texts in data["test"]["texts"]
    )


def test_real_glue_files_agree_with_the_header_less_ones(repository, tmp_path):
    """The same 872 sentences and labels, but for the hyphens and full stops that one lacks."""
    folder = shared_folder(repository, "sst2")
    (tmp_path / "glue_train_sample.tsv").symlink_to(folder / "glue_train_sample.tsv")
    (tmp_path / "glue_dev.tsv").symlink_to(folder / "glue_dev.tsv")
    glue = load_task("sst2", data_dir=tmp_path)
    other = load_task("sst2", data_dir=folder)
    assert glue.num_rows == {"train": 1900, "validation": 100, "test": 872}
    assert [*glue["test"]["label"]] == [*other["test"]["label"]]


def test_real_mrpc(repository, caplog):
    data = load_task("mrpc", data_dir=shared_folder(repository, "mrpc"))
    assert data.num_rows == {"train": 3872, "validation": 204, "test": 1725}
    assert counts(data["test"], 2) == [578, 1147]
    both = [counts(data[split], 2) for split in ("train", "validation")]
    assert [sum(c) for c in zip(*both, strict=True)] == [1323, 2753]
    assert data["test"][0]["texts"][0].startswith("pccw's chief operating officer")
    assert "4076 train rows, not the 3668" in caplog.text


def test_real_dbpedia_from_its_test_rows(repository, caplog):
    data = load_task("dbpedia", data_dir=shared_folder(repository, "dbpedia"))
    assert data.num_rows == {"train": 5776, "validation": 304, "test": 1520}
    every = [sum(c) for c in zip(*(counts(split, 14) for split in data.values()), strict=True)]
    assert min(every) == 506 and max(every) == 583 and sum(every) == 7600
    assert "cut from them with a fixed seed" in caplog.text


def test_real_imdb(repository):
    data = load_task("imdb", data_dir=shared_folder(repository, "imdb"), n_train=1000)
    assert data.num_rows == {"train": 1000, "validation": 1250, "test": 4000}
    assert counts(data["test"], 2) == [2000, 2000]
    assert any("<br />" in texts[0] for texts in data["train"]["texts"])


def test_real_rotten_tomatoes(repository):
    """Sizes of the hub's copy, and characters that are no Latin-1 controls."""
    folder = shared_folder(repository, "rotten_tomatoes")
    data = load_task("rotten_tomatoes", data_dir=folder)
    assert data.num_rows == {"train": 8530, "validation": 1066, "test": 1066}
    for split, n in (("train", 4265), ("validation", 533), ("test", 533)):
        assert counts(data[split], 2) == [n, n]
    assert data["train"]["texts"][0][0].startswith("the rock is destined to be the 21st century's")
    everything = "".join(texts[0] for texts in data["train"]["texts"])
    assert "\u2014" in everything and "\u2026" in everything
    assert not [c for c in everything if 0x7F <= ord(c) < 0xA0]
    assert min(counts(data["test"].select(range(1000)), 2)) > 450


def test_real_movie_reviews(repository, caplog):
    data = load_task("movie_rationales", data_dir=shared_folder(repository, "movie_reviews"))
    assert data.num_rows == {"train": 1600, "validation": 200, "test": 200}
    assert [counts(split, 2) for split in data.values()] == [[800] * 2, [100] * 2, [100] * 2]
    assert "polarity dataset v2.0" in caplog.text


def test_sst2_and_rotten_tomatoes_overlap(repository, caplog):
    """Most sentences of SST-2's training set stand in Rotten Tomatoes; `unseen` finds them."""
    caplog.set_level(logging.ERROR)
    sst2 = load_task("sst2", data_dir=shared_folder(repository, "sst2"))
    tomatoes = load_task("rotten_tomatoes", data_dir=shared_folder(repository, "rotten_tomatoes"))
    left = unseen(tomatoes["test"], sst2["train"])
    assert len(left) < 0.5 * len(tomatoes["test"])
    imdb = load_task("imdb", data_dir=shared_folder(repository, "imdb"), n_test=300)
    assert len(unseen(imdb["test"], sst2["train"])) > 290


def shared_root(repository):
    """The folder that has one folder per task, some of them under other names than the task's."""
    return shared_folder(repository, "qqp").parent


@pytest.mark.parametrize("name", PAIRS)
def test_real_pairs_and_ethics_from_one_data_dir(repository, name, caplog):
    sizes, in_test = PAIRS[name]
    data = load_task(name, data_dir=shared_root(repository), cased=True)
    assert tuple(data.num_rows.values()) == sizes
    assert in_test is None or counts(data["test"], 2) == in_test
    assert all(text == text.strip() for row in data["test"] for text in row["texts"])
    assert any(text != text.lower() for row in data["test"] for text in row["texts"])
    assert ("cut from them with a fixed seed" in caplog.text) is (name == "qnli")
    measured = {tuple(texts) for texts in data["test"]["texts"]}
    used = [texts for split in ("train", "validation") for texts in data[split]["texts"]]
    # The published files repeat a few rows; none of the splits is another one's copy.
    assert sum(tuple(texts) in measured for texts in used) < 0.02 * len(used)


def test_real_qnli_is_flipped(repository):
    folder = shared_folder(repository, "qnli")
    lines = (folder / "dev.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
    published = {tuple(line.split("\t")[1:]) for line in lines}
    data = load_task("qnli", data_dir=folder, cased=True)
    every = [row for split in data.values() for row in split]
    assert len(every) == 5463 and sum(row["label"] for row in every) == 2702
    names = ("not_entailment", "entailment")
    found = {(*row["texts"], names[row["label"]]) for row in every}
    assert len(found & published) > 5300  # some texts have spaces around them


@pytest.mark.parametrize("name", ADV_GLUE)
def test_real_adv_glue(repository, name, caplog):
    data = load_task(name, data_dir=shared_root(repository), cased=True)
    assert list(data) == ["test"] and counts(data["test"], 2) == ADV_GLUE[name]
    assert "SHA-256" not in caplog.text and "of the published" not in caplog.text


def test_real_adv_glue_labels_are_those_of_the_clean_rows(repository, tmp_path, caplog):
    """Beside a text that an attack changed in a few words stands a clean one of the same label."""
    root = shared_root(repository)
    for name in ("glue_train_sample.tsv", "glue_dev.tsv"):
        (tmp_path / name).symlink_to(root / "sst2" / name)
    clean = load_task("sst2", data_dir=tmp_path)["test"]
    words = [set(texts[0].split()) for texts in clean["texts"]]
    adversarial = load_task("adv_sst2", data_dir=root)["test"]
    same = []
    for texts, label in zip(adversarial["texts"], adversarial["label"], strict=True):
        found = set(texts[0].split())
        overlap = [len(found & other) / len(found | other) for other in words]
        if max(overlap) > 0.7:
            same.append(clean[overlap.index(max(overlap))]["label"] == label)
    assert len(same) > 50 and all(same)
