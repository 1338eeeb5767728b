"""The published data sets on the hub: pinned, counted, and what becomes of their rows."""

import re

import pyarrow.parquet as pq
import pytest
from pyarrow import table

from mvp_skill import hub
from mvp_skill.tasks import ADVERSARIAL, TASKS, load_task

# Rows of the parts on the hub, from the data sets' descriptions.
ROWS = {
    "sst2": (67_349, 872),
    "ag_news": (120_000, 7_600),
    "boolq": (9_427, 3_270),
    "mrpc": (3_668, 1_725),
    "dbpedia": (560_000, 70_000),
    "imdb": (25_000, 25_000),
    "rotten_tomatoes": (8_530, 1_066, 1_066),
    "amazon_polarity": (3_600_000, 400_000),
    "qqp": (363_846, 40_430),
    "qnli": (104_743, 5_463),
    "mnli_binary": (392_702, 9_815),
    "rte": (2_490, 277),
}


# The hub's own conversion of a loading script: a branch, with other file names.
CONVERSION = "refs/convert/parquet"
CONVERTED = {
    "movie_rationales": (1_600, 200),  # and a test of uneven classes, which is not counted
    "ethics_deontology": (18_164, 3_596),
    "ethics_justice": (21_791, 2_704),
}


def total(counts):
    return counts if isinstance(counts, int) else sum(counts)


def test_every_published_task_is_on_the_hub():
    published = {name for name, task in TASKS.items() if task.published}
    assert published == {*ROWS, *CONVERTED}
    for name, sizes in CONVERTED.items():
        source = TASKS[name].published.hub
        assert source.revision == CONVERSION
        assert tuple(map(total, source.label_counts.values())) == sizes
        assert all(file.endswith("/0000.parquet") for [file] in source.files.values())


def test_pairs_without_neutral_rows_are_as_many_as_in_the_paper():
    hub = TASKS["mnli_binary"].published.hub
    assert [hub.n_rows(part) for part in ("train", "held_out")] == [261_802, 6_692]
    assert TASKS["qnli"].published.hub.n_rows("train") == 104_743
    assert ADVERSARIAL["adv_mnli"].published.hub.n_rows("test") == 82
    movies = TASKS["movie_rationales"].published.hub
    assert movies.n_rows("train") == 1600 and movies.n_rows("test") is None


@pytest.mark.parametrize("name", ROWS)
def test_sources_are_pinned_and_counted(name):
    source = TASKS[name].published.hub
    assert re.fullmatch("[0-9a-f]{40}", source.revision)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repository)
    assert tuple(map(total, source.label_counts.values())) == ROWS[name]
    assert set(source.files) == set(source.label_counts)
    assert all(file.endswith(".parquet") for files in source.files.values() for file in files)
    n_classes = len(source.classes or TASKS[name].label_names)
    counted = [counts for counts in source.label_counts.values() if not isinstance(counts, int)]
    assert {len(counts) for counts in counted} == {n_classes}
    kept = sorted(ours for ours in source.classes or range(n_classes) if ours is not None)
    assert kept == list(range(len(TASKS[name].label_names)))
    assert len(source.columns) == len(TASKS[name].columns)


def test_movie_rationales_from_the_hub(tmp_path, monkeypatch):
    def cached(repository, file, revision, remedy):
        assert (repository, revision) == ("eraser-benchmark/movie_rationales", CONVERSION)
        split = file.split("/")[1]
        n = {"train": 1600, "validation": 200, "test": 199}[split]
        path = tmp_path / f"{split}.parquet"
        reviews = [f"{split} {i} ." for i in range(n)]
        pq.write_table(table({"review": reviews, "label": [i % 2 for i in range(n)]}), path)
        return path

    monkeypatch.setattr(hub, "hub_file", cached)
    data = load_task("movie_rationales")
    assert data.num_rows == {"train": 1600, "validation": 200, "test": 199}
    assert data["test"]["texts"][3] == ["test 3 ."]


def test_pairs_from_the_hub_are_flipped_and_filtered(tmp_path, monkeypatch):
    """GLUE's numbers on the hub: 0 entailment, 1 neutral or not entailed, 2 contradiction."""

    def cached(repository, file, revision, remedy):
        assert repository == "nyu-mll/glue"
        source = TASKS[wanted].published.hub
        part = next(part for part, files in source.files.items() if files == (file,))
        counts = source.label_counts[part]
        counts = counts if not isinstance(counts, int) else (52_000, counts - 52_000)
        labels = [label for label, n in enumerate(counts) for _ in range(n)]
        texts = {name: [f"{name} {i}" for i in range(len(labels))] for name in source.columns}
        path = tmp_path / f"{wanted}-{part}.parquet"
        pq.write_table(table(texts | {"label": labels}), path)
        return path

    monkeypatch.setattr(hub, "hub_file", cached)
    wanted = "rte"
    data = load_task("rte", cased=True)
    assert data.num_rows == {"train": 2365, "validation": 125, "test": 277}
    for texts, label in zip(data["test"]["texts"], data["test"]["label"], strict=True):
        assert label == int(int(texts[0].split()[1]) < 146)
        assert texts[0].startswith("sentence2") and texts[1].startswith("sentence1")
    wanted = "qnli"
    assert load_task("qnli", n_train=5, n_validation=5)["test"]["label"].count(1) == 2702
    wanted = "mnli_binary"
    test = load_task("mnli_binary", n_train=5, n_validation=5, cased=True)["test"]
    assert len(test) == 6692 and test["label"].count(1) == 3479
    rows = dict(zip((texts[0] for texts in test["texts"]), test["label"], strict=True))
    assert rows["hypothesis 0"] == 1 and rows["hypothesis 9814"] == 0
    assert "hypothesis 3479" not in rows and "hypothesis 6602" in rows
