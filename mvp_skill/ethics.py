"""ETHICS (Hendrycks et al. 2021), two of its five sets: files, hub copies and cuts.

The test is the published one, not the harder one beside it, as in the code of Ackermann and Ohmer
2023; 5 % of the training rows validate.
"""

from pathlib import Path

from mvp_skill.hub import HubSource
from mvp_skill.layouts import Layout
from mvp_skill.published import Published
from mvp_skill.readers import BINARY
from mvp_skill.records import Row, csv_records, label_of, not_empty, short, wrong
from mvp_skill.splits import cut_train


def read_deontology(path: Path) -> list[Row]:
    """Deontology: a CSV file with the header `label,scenario,excuse`; 1 is a reasonable excuse."""
    return _csv(path, ["label", "scenario", "excuse"])


def read_justice(path: Path) -> list[Row]:
    """Justice: a CSV file with the header `label,scenario`; 1 is reasonable."""
    return _csv(path, ["label", "scenario"])


def _csv(path: Path, header: list[str]) -> list[Row]:
    rows = []
    for number, fields in csv_records(path):
        if number == 1:
            if fields != header:
                raise wrong(path, 1, f"expected the header {header}, found {short(fields)}")
            continue
        if len(fields) != len(header):
            raise wrong(path, number, f"expected the columns {header}, found {short(fields)}")
        label = label_of(path, number, fields[0], BINARY)
        rows.append({"texts": fields[1:], "label": label})
    return not_empty(path, rows)


# On the hub the published test is called validation, and the harder one test. The repository is a
# loading script; the branch is the hub's own conversion of it to Parquet.
REPOSITORY, REVISION = "hendrycks/ethics", "refs/convert/parquet"

DEONTOLOGY = Published(
    (
        Layout(
            {"train": ("deontology_train.csv",), "held_out": ("deontology_test.csv",)},
            read_deontology,
        ),
    ),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("deontology/train/0000.parquet",),
            "held_out": ("deontology/validation/0000.parquet",),
        },
        ("scenario", "excuse"),
        "label",
        {"train": (8374, 9790), "held_out": (1810, 1786)},
    ),
    cut_train,
    folders=("ethics/deontology", "deontology", "ethics"),
)

JUSTICE = Published(
    (Layout({"train": ("justice_train.csv",), "held_out": ("justice_test.csv",)}, read_justice),),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("justice/train/0000.parquet",),
            "held_out": ("justice/validation/0000.parquet",),
        },
        ("scenario",),
        "label",
        {"train": (9961, 11_830), "held_out": (1350, 1354)},
    ),
    cut_train,
    folders=("ethics/justice", "justice", "ethics"),
)
