"""Published data sets: where they lie, and how the papers' code cuts them into splits.

Rows come from a local folder in the published layout or from the hub. Every cut is made with the
splitter of `datasets` and one seed, so that all runs see the same data.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.hub import HubSource, hub_rows
from mvp_skill.readers import Layout, Row, find_files, read_ag_news, read_boolq, read_sst2

LOGGER = logging.getLogger(__name__)

# Whatever the seed of the run: the data are the same for all seeds (authors' code).
CUT_SEED = 0
# Fewer rows than this leave no whole row for 5 % of them.
MIN_ROWS = 20


@dataclass(frozen=True)
class Published:
    """A published data set: its two sources and its reference splits (Raman et al. 2023).

    layout            the files in a local folder
    hub               the copy on the hub
    validation_from   "train": 5 % of the training rows, and all held-out rows are the test;
                      "held_out": half of the held-out rows, and the other half is the test
    needs_letter      drop rows without an ASCII letter, after the cut
    """

    layout: Layout
    hub: HubSource
    validation_from: str = "train"
    needs_letter: bool = False


SST2 = Published(
    Layout(
        ("train.tsv", "train_sample.tsv", "glue_train_sample.tsv"),
        ("dev.tsv", "glue_dev.tsv"),
        read_sst2,
    ),
    HubSource(
        "nyu-mll/glue",
        "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
        {
            "train": "sst2/train-00000-of-00001.parquet",
            "held_out": "sst2/validation-00000-of-00001.parquet",
        },
        ("sentence",),
        "label",
        {"train": (29780, 37569), "held_out": (428, 444)},
    ),
    needs_letter=True,
)

AG_NEWS = Published(
    Layout(("train.csv", "train_sample.csv"), ("test.csv",), read_ag_news),
    HubSource(
        "fancyzhx/ag_news",
        "eb185aade064a813bc0b7f42de02595523103ca4",
        {
            "train": "data/train-00000-of-00001.parquet",
            "held_out": "data/test-00000-of-00001.parquet",
        },
        ("text",),
        "label",
        {"train": (30000,) * 4, "held_out": (1900,) * 4},
    ),
)

# The passages of google/boolq lack the page title with which SuperGLUE's files begin them.
BOOLQ = Published(
    Layout(("train.jsonl", "train_sample.jsonl"), ("val.jsonl", "dev.jsonl"), read_boolq),
    HubSource(
        "google/boolq",
        "35b264d03638db9f4ce671b711558bf7ff0f80d5",
        {
            "train": "data/train-00000-of-00001.parquet",
            "held_out": "data/validation-00000-of-00001.parquet",
        },
        ("passage", "question"),
        "answer",
        {"train": (3553, 5874), "held_out": (1237, 2033)},
    ),
    validation_from="held_out",
)


def read_published(
    published: Published, data_dir: str | Path | None
) -> tuple[dict[str, list[Row]], str]:
    """The splits {"train", "validation", "test"} of a data set, and where they come from.

    data_dir   a folder with the files of the layout, or None for the hub's copy
    raises     BadInput for missing or malformed files, a hub out of reach, too few rows
    """
    if data_dir:
        parts, origin = _read_folder(published.layout, Path(data_dir).expanduser())
    else:
        parts, origin = _read_hub(published)
    splits = reference_splits(published, parts)
    if published.needs_letter:
        splits = {split: list(filter(_has_letter, rows)) for split, rows in splits.items()}
    return splits, origin


def reference_splits(published: Published, parts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Cut {"train", "held_out"} into train, validation and test, as the authors' code does."""
    train, held_out = parts["train"], parts["held_out"]
    cut = train if published.validation_from == "train" else held_out
    if len(cut) < MIN_ROWS:
        raise BadInput(f"{len(cut)} rows are too few to split; give at least {MIN_ROWS}.")
    if published.validation_from == "train":
        train, validation = _split(train, 0.95, 0.05)
        return {"train": train, "validation": validation, "test": held_out}
    # The first part that the splitter returns is the test, the second the validation.
    test, validation = _split(held_out, 0.5, 0.5)
    return {"train": train, "validation": validation, "test": test}


def subset(rows: list[Row], count: int | None) -> list[Row]:
    """`count` random rows, drawn with the same seed as the cuts; all if None or not that many."""
    if count is None or count >= len(rows):
        return rows
    return _split(rows, count, len(rows) - count)[0]


def _split(rows: list[Row], first: float | int, second: float | int) -> tuple[list[Row], list[Row]]:
    """Two random parts, by shares or by counts, row for row as `datasets` splits them."""
    from datasets import Dataset

    numbers = Dataset.from_dict({"row": range(len(rows))})
    parts = numbers.train_test_split(train_size=first, test_size=second, seed=CUT_SEED)
    return [rows[i] for i in parts["train"]["row"]], [rows[i] for i in parts["test"]["row"]]


def _read_folder(layout: Layout, folder: Path) -> tuple[dict[str, list[Row]], str]:
    files = find_files(layout, folder)
    if "sample" in files["train"].name:
        LOGGER.warning(
            "training rows come from the sample %s, because there is no %s",
            files["train"],
            layout.train[0],
        )
    parts = {part: layout.read(path) for part, path in files.items()}
    return parts, " and ".join(map(str, files.values()))


def _read_hub(published: Published) -> tuple[dict[str, list[Row]], str]:
    layout, hub = published.layout, published.hub
    remedy = (
        f"give a folder with {layout.train[0]} and {layout.held_out[0]} as DATA_DIR, "
        "or choose a mini task, which needs no files"
    )
    return hub_rows(hub, remedy), f"{hub.repository} at {hub.revision[:7]}"


def _has_letter(row: Row) -> bool:
    return re.search("[A-Za-z]", row["texts"][0]) is not None
