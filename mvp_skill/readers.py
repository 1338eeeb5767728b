"""Data sets in the files their authors publish: one reader per layout, a file to its rows.

Every reader raises BadInput naming file and line, and refuses a file without rows.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from mvp_skill.records import (
    Row,
    csv_records,
    json_objects,
    label_of,
    lines,
    not_empty,
    short,
    tab_records,
    wrong,
)

BINARY = ("0", "1")


def read_sst2(path: Path) -> list[Row]:
    """SST-2: `sentence<TAB>label`, 0 negative or 1 positive, with GLUE's header line or without."""
    header = ["sentence", "label"]
    rows = []
    for number, line in lines(path):
        fields = line.split("\t")
        if number == 1 and fields == header:
            continue
        if len(fields) != len(header) or (number == 1 and fields[1] not in BINARY):
            raise wrong(
                path, number, f"expected the columns {header}, separated by one tab, found {fields}"
            )
        rows.append({"texts": [fields[0]], "label": label_of(path, number, fields[1], BINARY)})
    return not_empty(path, rows)


def read_ag_news(path: Path) -> list[Row]:
    """AG News: `"class","title","description"` without a header, classes 1 to 4.

    Title and description are joined by a space, as the hub's copy does.
    """
    return _class_csv(path, ("class", "title", "description"), 4, texts=slice(1, 3))


def read_dbpedia(path: Path) -> list[Row]:
    """DBpedia-14: `"class","title","content"` without a header, classes 1 to 14.

    The text is the content: the title often names the class ("... (album)").
    """
    return _class_csv(path, ("class", "title", "content"), 14, texts=slice(2, 3))


def read_amazon_polarity(path: Path) -> list[Row]:
    """Amazon polarity: `"class","title","content"` without a header, 1 negative or 2 positive.

    The text is the content, as for DBpedia.
    """
    return _class_csv(path, ("class", "title", "content"), 2, texts=slice(2, 3))


def _class_csv(path: Path, columns: Sequence[str], n_classes: int, texts: slice) -> list[Row]:
    """A CSV file without a header whose first column is the class, from 1."""
    classes = [str(number) for number in range(1, n_classes + 1)]
    rows = []
    for number, fields in csv_records(path):
        if len(fields) != len(columns):
            what = f"expected the columns {list(columns)}, found {short(fields)}"
            raise wrong(path, number, what)
        label = label_of(path, number, fields[0], classes)
        rows.append({"texts": [" ".join(fields[texts])], "label": label})
    return not_empty(path, rows)


def read_boolq(path: Path) -> list[Row]:
    """BoolQ in SuperGLUE's layout: a JSON object a line with `question`, `passage` and `label`.

    The label is true or false; the original release calls it `answer`, and both are read. The
    texts are passage, question.
    """
    rows = []
    for number, fields in json_objects(path):
        answer = "answer" if "answer" in fields and "label" not in fields else "label"
        texts = [fields.get("passage"), fields.get("question")]
        if answer not in fields or not all(isinstance(text, str) for text in texts):
            keys = ["question", "passage", "label"]
            raise wrong(path, number, f"expected the keys {keys}, found {short(list(fields))}")
        # JSON's true equals 1 in Python, but a file with 1 is not BoolQ and may mean anything.
        label = label_of(path, number, json.dumps(fields[answer]), ("false", "true"))
        rows.append({"texts": texts, "label": label})
    return not_empty(path, rows)


MRPC_HEADER = ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]


def read_mrpc(path: Path) -> list[Row]:
    """MRPC, as Microsoft and GLUE publish it: tabs, the header MRPC_HEADER, 1 for a paraphrase.

    Quotation marks are part of the sentences. GLUE's test file without labels is refused.
    """
    rows = []
    for number, fields in tab_records(path, len(MRPC_HEADER)):
        if number == 1:
            if fields != MRPC_HEADER:
                raise wrong(path, 1, f"expected the header {MRPC_HEADER}, found {short(fields)}")
            continue
        label = label_of(path, number, fields[0], BINARY)
        rows.append({"texts": fields[3:], "label": label})
    return not_empty(path, rows)
