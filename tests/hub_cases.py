"""A data set of the hub with two small files, as the hub's library stores them."""

import pyarrow
import pyarrow.parquet
from huggingface_hub import constants

from mvp_skill.hub import HubSource

SOURCE = HubSource(
    "someone/questions",
    "0123456789abcdef0123456789abcdef01234567",
    {"train": ("data/train.parquet",), "held_out": ("data/validation.parquet",)},
    ("passage", "question"),
    "answer",
    {"train": (2, 1), "held_out": (1, 1)},
)


def allow_network(monkeypatch):
    """Not told to be offline: the hub is probed, at an address of the test's choice."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def put_in_cache(cache, file, answers, columns=("question", "passage", "answer")):
    folder = cache / "datasets--someone--questions" / "snapshots" / SOURCE.revision
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = range(len(answers))
    values = ([f"Q{i}" for i in numbers], [f"P{i}" for i in numbers], list(answers))
    pyarrow.parquet.write_table(pyarrow.table(dict(zip(columns, values, strict=True))), path)
    return path
