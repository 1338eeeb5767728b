"""Cutting published data sets into splits, as the code of Raman et al. 2023 does.

Every cut is made with the splitter of `datasets` and one seed, whatever the seed of the run, so
that all runs see the same data.
"""

from collections.abc import Sequence
from itertools import pairwise

from mvp_skill.errors import BadInput
from mvp_skill.layouts import Parts
from mvp_skill.records import Row

CUT_SEED = 0
# Fewer rows than this leave no whole row for 5 % of them.
MIN_ROWS = 20


def cut_train(parts: Parts) -> Parts:
    """{"train", "held_out"}: 5 % of the training rows validate, all held-out rows are the test."""
    _check_enough(parts["train"])
    train, validation = _split(parts["train"], 0.95, 0.05)
    return {"train": train, "validation": validation, "test": parts["held_out"]}


def cut_held_out(parts: Parts) -> Parts:
    """{"train", "held_out"}: half of the held-out rows validate, the other half is the test."""
    _check_enough(parts["held_out"])
    # The first part that the splitter returns is the test, the second the validation.
    test, validation = _split(parts["held_out"], 0.5, 0.5)
    return {"train": parts["train"], "validation": validation, "test": test}


def as_published(parts: Parts) -> Parts:
    """{"train", "validation", "test"}: nothing to cut."""
    return parts


def four_fifths_train(parts: Parts) -> Parts:
    """{"held_out"} only: four fifths of it become training rows, one fifth stays held out."""
    _check_enough(parts["held_out"])
    train, held_out = _split(parts["held_out"], 0.8, 0.2)
    return {"train": train, "held_out": held_out}


def tenths_of_each_class(parts: Parts) -> Parts:
    """A part per class, in the file's order: eight tenths train, then one validates, one tests.

    The cut of the hub's copy of Rotten Tomatoes, positive rows first.
    """
    splits: Parts = {"train": [], "validation": [], "test": []}
    for rows in (parts["positive"], parts["negative"]):
        _check_enough(rows)
        edges = [0, *(int(len(rows) * share + 0.5) for share in (0.8, 0.9)), len(rows)]
        for split, (start, end) in zip(splits, pairwise(edges), strict=True):
            splits[split] += rows[start:end]
    return splits


def by_fold(parts: Parts) -> Parts:
    """{"all"} with folds: 0 to 7 train, 8 validates, 9 tests (1,600, 200 and 200 movie reviews).

    These are the sizes of ERASER's split, but for one test review that it lacks, and its ids count
    the reviews in this order; that it is the same split was not checked.
    """
    splits: Parts = {"train": [], "validation": [], "test": []}
    for row in parts["all"]:
        splits[{8: "validation", 9: "test"}.get(row["fold"], "train")].append(row)
    return splits


def subset(rows: list[Row], count: int | None) -> list[Row]:
    """`count` random rows, drawn with the same seed as the cuts; all if None or not that many."""
    return rows if count is None else [rows[i] for i in drawn(len(rows), count)]


def drawn(n_rows: int, count: int) -> Sequence[int]:
    """Numbers of `count` of `n_rows` rows, drawn with the same seed as the cuts; all if fewer."""
    if count >= n_rows:
        return range(n_rows)
    return _split(range(n_rows), count, n_rows - count)[0]


def mixed(rows: list[Row]) -> list[Row]:
    """The rows; in a random order, the same for every run, if they are sorted by class.

    The first 1,000 rows are attacked, and those of a sorted file would be of one class.
    """
    import numpy as np

    labels = [row["label"] for row in rows]
    if len(set(labels)) < 2 or labels not in (sorted(labels), sorted(labels, reverse=True)):
        return rows
    return [rows[i] for i in np.random.default_rng(CUT_SEED).permutation(len(rows))]


def _split(rows: Sequence, first: float | int, second: float | int) -> tuple[list, list]:
    """Two random parts, by shares or by counts, row for row as `datasets` splits them."""
    from datasets import Dataset

    numbers = Dataset.from_dict({"row": range(len(rows))})
    parts = numbers.train_test_split(train_size=first, test_size=second, seed=CUT_SEED)
    # All numbers at once: a column of `datasets` is read row by row, a minute for DBpedia.
    chosen, others = (parts[part][:]["row"] for part in ("train", "test"))
    return [rows[i] for i in chosen], [rows[i] for i in others]


def _check_enough(rows: Sequence) -> None:
    if len(rows) < MIN_ROWS:
        raise BadInput(f"{len(rows)} rows are too few to split; give at least {MIN_ROWS}.")
