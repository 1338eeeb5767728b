"""Rows of a task as data sets of one schema: `texts`, a list of strings, and `label`, a class."""

from typing import TYPE_CHECKING

from mvp_skill.records import Row

if TYPE_CHECKING:  # importing it takes most of a second
    from datasets import Dataset, DatasetDict

    from mvp_skill.tasks import Task


def as_dataset_dict(
    task: "Task", splits: dict[str, list[Row]], origin: str, cased: bool
) -> "DatasetDict":
    """The splits of a task; the description of each says how many rows it has and where from."""
    from datasets import DatasetDict

    return DatasetDict(
        {split: _as_dataset(task, split, splits[split], origin, cased) for split in task.splits}
    )


def _as_dataset(task: "Task", split: str, rows: list[Row], origin: str, cased: bool) -> "Dataset":
    from datasets import ClassLabel, Dataset, DatasetInfo, Features, Sequence, Value

    features = Features(
        {"texts": Sequence(Value("string")), "label": ClassLabel(names=list(task.label_names))}
    )
    columns = {
        "texts": [_normalise(task, row["texts"], cased) for row in rows],
        "label": [row["label"] for row in rows],
    }
    case = ", cased" if cased else ""
    description = f"{task.name}, {split}: {len(rows)} rows from {origin}{case}"
    info = DatasetInfo(description=description, features=features)
    return Dataset.from_dict(columns, features=features, info=info)


def _normalise(task: "Task", texts: list[str], cased: bool) -> list[str]:
    """No space at the ends; unless cased, lower case, and a question mark for every question."""
    if cased:
        return [text.strip() for text in texts]
    plain = [text.lower().strip() for text in texts]
    return [
        f"{text}?" if column == "question" and not text.endswith("?") else text
        for column, text in zip(task.columns, plain, strict=True)
    ]
