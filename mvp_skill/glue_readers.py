"""GLUE's pairs in the files their authors publish: tabs, and a header that names the columns.

Samples of GLUE with fewer columns are read alike. Quotation marks are part of the texts. Every
reader raises BadInput naming file and line, and refuses a file without rows.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from mvp_skill.readers import BINARY
from mvp_skill.records import (
    Row,
    json_objects,
    label_of,
    named_columns,
    not_empty,
    short,
    wrong,
)

LOGGER = logging.getLogger(__name__)
ENTAILED = ("not_entailment", "entailment")  # index = label
# Lines that may be left out of QQP, whose published file has some with a question cut in two.
MOST_BROKEN = 100

Lines = Iterable[tuple[int, list[str] | None]]


def read_qnli(path: Path) -> list[Row]:
    """QNLI: the columns `question`, `sentence`, `label`; 1 is entailment."""
    return _rows(path, named_columns(path, ["question", "sentence", "label"]), ENTAILED)


def read_rte(path: Path) -> list[Row]:
    """RTE in GLUE's layout: `sentence1` (the premise), `sentence2`, `label`; 1 is entailment.

    The texts are hypothesis, premise.
    """
    return _rows(path, named_columns(path, ["sentence2", "sentence1", "label"]), ENTAILED)


def read_rte_json(path: Path) -> list[Row]:
    """RTE in SuperGLUE's layout: JSON lines with `premise`, `hypothesis` and `label`."""
    rows = []
    for number, fields in json_objects(path):
        found = [fields.get(key) for key in ("hypothesis", "premise", "label")]
        if not all(isinstance(value, str) for value in found):
            keys = ["premise", "hypothesis", "label"]
            raise wrong(path, number, f"expected strings as {keys}, found {short(fields)}")
        *texts, label = found
        rows.append({"texts": texts, "label": label_of(path, number, label, ENTAILED)})
    return not_empty(path, rows)


def read_mnli_binary(path: Path) -> list[Row]:
    """MNLI: `sentence1` (the premise), `sentence2`, `gold_label`; neutral rows are left out.

    The texts are hypothesis, premise; 0 is contradiction, 1 entailment.
    """
    lines = named_columns(path, ["sentence2", "sentence1", "gold_label"])
    return _rows(path, lines, ("contradiction", "entailment"), left_out=("neutral",))


def read_qqp(path: Path) -> list[Row]:
    """QQP: the columns `question1`, `question2`, `is_duplicate`; 1 is a duplicate.

    Lines with fewer fields than the header are left out, with a warning: the published file has
    some where a question contains a line break. More than MOST_BROKEN are refused.
    """
    lines = list(named_columns(path, ["question1", "question2", "is_duplicate"]))
    broken = [number for number, fields in lines if fields is None]
    if len(broken) > MOST_BROKEN:
        what = f"has fewer fields than the header, as have {len(broken) - 1} other lines"
        raise wrong(path, broken[0], f"{what}; the published file has a few of that kind")
    if broken:
        LOGGER.warning(
            "%s: %d lines with fewer fields than the header are left out, the first is line %d",
            *(path, len(broken), broken[0]),
        )
    return _rows(path, [line for line in lines if line[1] is not None], BINARY)


def _rows(
    path: Path, lines: Lines, classes: Sequence[str], left_out: Sequence[str] = ()
) -> list[Row]:
    """Rows from the fields of each line, texts first and the label last."""
    rows = []
    for number, fields in lines:
        if fields is None:
            raise wrong(path, number, "does not have as many fields as the header")
        *texts, found = fields
        label = label_of(path, number, found, [*classes, *left_out])
        if label < len(classes):
            rows.append({"texts": texts, "label": label})
    return not_empty(path, rows)
