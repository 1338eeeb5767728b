"""Data sets in the files their authors publish, read strictly: a bad row is named, never skipped.

A row is {"texts": [one string per text column], "label": int}, as everywhere in this package.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput

Row = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """The files of a published data set: accepted names, the published one first, and the reader.

    train      the training rows; a sample of them is accepted under the other names
    held_out   the labelled rows that are published beside them (a "dev" or a "test" file)
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    read: Callable[[Path], list[Row]]


def find_files(layout: Layout, folder: str | Path) -> dict[str, Path]:
    """The files of a layout in a folder: {"train": path, "held_out": path}.

    raises   BadInput naming what is expected and what is there, if folder or file is missing
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        there = "is a file" if folder.exists() else "does not exist"
        expected = f"{layout.train[0]} and {layout.held_out[0]}"
        raise BadInput(f"DATA_DIR {folder} {there}; give a folder that contains {expected}.")
    return {"train": _find(folder, layout.train), "held_out": _find(folder, layout.held_out)}


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
    raise BadInput(
        f"DATA_DIR {folder} has no file {' or '.join(names)}; it contains {shown or 'nothing'}."
    )


def read_sst2(path: Path) -> list[Row]:
    """SST-2: `sentence<TAB>label`, 0 negative or 1 positive, with GLUE's header line or without.

    raises   BadInput naming file and line
    """
    header = ["sentence", "label"]
    rows = []
    for number, line in _lines(path):
        fields = line.split("\t")
        if number == 1 and fields == header:
            continue
        if len(fields) != len(header) or (number == 1 and fields[1] not in ("0", "1")):
            raise _wrong(
                path, number, f"expected the columns {header}, separated by one tab, found {fields}"
            )
        rows.append({"texts": [fields[0]], "label": _label(path, number, fields[1], ("0", "1"))})
    return _not_empty(path, rows)


def read_ag_news(path: Path) -> list[Row]:
    """AG News: `"class","title","description"` without a header, classes 1 to 4.

    Title and description are joined by a space, as the hub's copy does.

    raises   BadInput naming file and line
    """
    columns = ["class", "title", "description"]
    rows = []
    for number, fields in _csv_records(path):
        if len(fields) != len(columns):
            raise _wrong(path, number, f"expected the columns {columns}, found {_short(fields)}")
        label = _label(path, number, fields[0], ("1", "2", "3", "4"))
        rows.append({"texts": [f"{fields[1]} {fields[2]}"], "label": label})
    return _not_empty(path, rows)


def read_boolq(path: Path) -> list[Row]:
    """BoolQ in SuperGLUE's layout: a JSON object a line with `question`, `passage` and `label`.

    The label is true or false; the original release calls it `answer`, and both are read. The
    texts are passage, question.

    raises   BadInput naming file and line
    """
    rows = []
    for number, line in _lines(path):
        fields = _json_object(path, number, line)
        answer = "answer" if "answer" in fields and "label" not in fields else "label"
        texts = [fields.get("passage"), fields.get("question")]
        if answer not in fields or not all(isinstance(text, str) for text in texts):
            keys = ["question", "passage", "label"]
            raise _wrong(path, number, f"expected the keys {keys}, found {_short(list(fields))}")
        # JSON's true equals 1 in Python, but a file with 1 is not BoolQ and may mean anything.
        label = _label(path, number, json.dumps(fields[answer]), ("false", "true"))
        rows.append({"texts": texts, "label": label})
    return _not_empty(path, rows)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and line; UTF-8 with or without a byte order mark, any line ends."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        raise _wrong(path, number, "is not UTF-8 text; save the file as UTF-8") from error
    # Not splitlines(), which also breaks at characters that occur inside sentences.
    for number, line in enumerate(text.rstrip("\r\n").split("\n"), start=1):
        if text.strip():
            yield number, line.removesuffix("\r")


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of its first line, and fields, of each CSV record."""
    lines = [f"{line}\n" for _, line in _lines(path)]
    records = csv.reader(lines, strict=True)
    number = 1
    try:
        for fields in records:
            yield number, fields
            number = records.line_num + 1
    except csv.Error as error:
        raise _wrong(path, number, f"is not valid CSV ({error})") from error


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise _wrong(path, number, f"is not valid JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _wrong(path, number, f"expected a JSON object, found {_short(fields)}")
    return fields


def _label(path: Path, number: int, found: str, allowed: tuple[str, ...]) -> int:
    if found not in allowed:
        raise _wrong(path, number, f"has the label {found!r}; allowed are {', '.join(allowed)}")
    return allowed.index(found)


def _not_empty(path: Path, rows: list[Row]) -> list[Row]:
    if not rows:
        raise BadInput(f"{path} contains no rows; replace it with the published file.")
    return rows


def _wrong(path: Path, number: int, what: str) -> BadInput:
    return BadInput(f"{path}, line {number}: {what}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
