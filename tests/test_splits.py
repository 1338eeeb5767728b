"""Reference splits: sizes, disjointness, the same for every run, nothing sorted by class."""

import pytest
from datasets import Dataset

from mvp_skill.catalogue import AG_NEWS, BOOLQ, DBPEDIA, MRPC, SST2
from mvp_skill.errors import BadInput
from mvp_skill.ethics import DEONTOLOGY, JUSTICE
from mvp_skill.glue import MNLI_BINARY, QNLI, QQP, RTE
from mvp_skill.splits import (
    as_published,
    by_fold,
    drawn,
    four_fifths_train,
    mixed,
    subset,
    tenths_of_each_class,
)
from mvp_skill.tasks import SPLITS


@pytest.mark.parametrize(
    ("published", "n_train", "n_held_out", "sizes"),
    [
        (SST2, 67_349, 872, (63_981, 3_368, 872)),
        (AG_NEWS, 120_000, 7_600, (114_000, 6_000, 7_600)),
        (BOOLQ, 9_427, 3_270, (9_427, 1_635, 1_635)),
        (MRPC, 3_668, 1_725, (3_484, 184, 1_725)),
        (DBPEDIA, 120_000, 70_000, (114_000, 6_000, 70_000)),
        (QQP, 363_846, 40_430, (345_653, 18_193, 40_430)),
        (QNLI, 104_743, 5_463, (99_505, 5_238, 5_463)),
        (MNLI_BINARY, 261_802, 6_692, (248_711, 13_091, 6_692)),
        (RTE, 2_490, 277, (2_365, 125, 277)),
        (DEONTOLOGY, 18_164, 3_596, (17_255, 909, 3_596)),
        (JUSTICE, 21_791, 2_704, (20_701, 1_090, 2_704)),
    ],
)
def test_sizes_of_the_reference_splits(published, n_train, n_held_out, sizes):
    parts = {"train": list(range(n_train)), "held_out": list(range(n_held_out))}
    splits = published.cut(parts)
    assert tuple(len(splits[split]) for split in SPLITS) == sizes
    used = splits["train"] + splits["validation"]
    if published is BOOLQ:
        used = splits["validation"] + splits["test"]
    assert sorted(used) == list(range(n_held_out if published is BOOLQ else n_train))


def test_published_splits_stay_as_they_are():
    parts = {"train": [1], "validation": [2], "test": [3]}
    assert as_published(parts) == parts


def test_four_fifths_of_a_lone_test_file_train():
    parts = four_fifths_train({"held_out": list(range(45))})
    assert (len(parts["train"]), len(parts["held_out"])) == (36, 9)
    assert sorted(parts["train"] + parts["held_out"]) == list(range(45))
    assert parts == four_fifths_train({"held_out": list(range(45))})
    assert parts["train"] != sorted(parts["train"])
    with pytest.raises(BadInput, match="19 rows are too few"):
        four_fifths_train({"held_out": list(range(19))})


def test_tenths_of_each_class_are_cut_in_the_files_order():
    """5,331 sentences a class: 4,265, 533 and 533, as in the hub's copy of Rotten Tomatoes."""
    positive, negative = list(range(5331)), list(range(-5331, 0))
    splits = tenths_of_each_class({"positive": positive, "negative": negative})
    assert splits == {
        "train": positive[:4265] + negative[:4265],
        "validation": positive[4265:4798] + negative[4265:4798],
        "test": positive[4798:] + negative[4798:],
    }
    assert [len(rows) for rows in splits.values()] == [8530, 1066, 1066]


def test_folds_zero_to_seven_train():
    rows = [{"fold": i % 10, "i": i} for i in range(30)]
    splits = by_fold({"all": rows})
    assert [row["i"] for row in splits["validation"]] == [8, 18, 28]
    assert [row["i"] for row in splits["test"]] == [9, 19, 29]
    assert len(splits["train"]) == 24 and {row["fold"] for row in splits["train"]} == {*range(8)}


def test_subsets_are_drawn_as_the_splitter_draws():
    rows = [{"i": i} for i in range(50)]
    expected = Dataset.from_dict({"i": range(50)}).train_test_split(
        train_size=7, test_size=43, seed=0
    )
    assert [row["i"] for row in subset(rows, 7)] == expected["train"]["i"]
    assert list(drawn(50, 7)) == expected["train"]["i"]
    for count in (None, 50, 99):
        assert subset(rows, count) == rows


@pytest.mark.parametrize("labels", [[0] * 30 + [1] * 30, [2] * 20 + [1] * 20 + [0] * 20])
def test_rows_sorted_by_class_are_mixed(labels):
    rows = [{"i": i, "label": label} for i, label in enumerate(labels)]
    found = mixed(rows)
    assert sorted(row["i"] for row in found) == list(range(60))
    assert found == mixed(rows) != rows
    assert {row["label"] for row in found[:15]} == set(labels)


@pytest.mark.parametrize("labels", [[0, 1] * 30, [0] * 30 + [1] * 29 + [0], [1] * 60, []])
def test_other_rows_keep_the_published_order(labels):
    rows = [{"i": i, "label": label} for i, label in enumerate(labels)]
    assert mixed(rows) == rows
