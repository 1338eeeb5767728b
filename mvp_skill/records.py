"""Lines, CSV records and JSON objects of a file, read strictly: a bad one is named, never skipped.

A row is {"texts": [one string per text column], "label": int}, as everywhere in this package.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput

Row = dict[str, Any]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and line; UTF-8 with or without a byte order mark, any line ends.

    Blank lines at the end do not count.

    raises   BadInput naming file and line if it is not UTF-8
    """
    blank: list[tuple[int, str]] = []
    with path.open("rb") as file:
        # Not str.splitlines(), which also breaks at characters that occur inside sentences.
        for number, content in enumerate(file, start=1):
            try:
                line = content.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise wrong(path, number, "is not UTF-8 text; save the file as UTF-8") from error
            blank.append((number, line))
            if line.strip():
                yield from blank
                blank = []


def tab_records(path: Path, n_columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line, which tabs divide; quotation marks mean nothing."""
    for number, line in lines(path):
        fields = line.split("\t")
        if len(fields) != n_columns:
            what = f"expected {n_columns} columns, separated by one tab each, found {short(fields)}"
            raise wrong(path, number, what)
        yield number, fields


def named_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str] | None]]:
    """Line number and fields of some columns, in the order asked for, of each line but the first.

    The first line is the header: it names the columns, and there may be more of them. Tabs divide
    the fields; quotation marks mean nothing. None stands for a line with fewer fields than the
    header.

    raises   BadInput for a header without these columns, or a line with more fields than it
    """
    header: list[str] = []
    for number, line in lines(path):
        fields = line.split("\t")
        if number == 1:
            header = fields
            if not set(columns) <= set(header):
                what = f"expected a header with {list(columns)}, found {short(header)}"
                raise wrong(path, 1, what)
            continue
        if len(fields) > len(header):
            what = (
                f"expected {len(header)} columns, separated by one tab each, found {short(fields)}"
            )
            raise wrong(path, number, what)
        is_whole = len(fields) == len(header)
        yield number, [fields[header.index(name)] for name in columns] if is_whole else None


def csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of its first line, and fields, of each CSV record."""
    records = csv.reader((f"{line}\n" for _, line in lines(path)), strict=True)
    number = 1
    try:
        for fields in records:
            yield number, fields
            number = records.line_num + 1
    except csv.Error as error:
        raise wrong(path, number, f"is not valid CSV ({error})") from error


def json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and value of each line, a JSON object."""
    for number, line in lines(path):
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise wrong(path, number, f"is not valid JSON ({error})") from error
        if not isinstance(fields, dict):
            raise wrong(path, number, f"expected a JSON object, found {short(fields)}")
        yield number, fields


def label_of(path: Path, number: int, found: str, allowed: Sequence[str]) -> int:
    """The class of a label, its place in `allowed`; BadInput if it is not there."""
    if found not in allowed:
        raise wrong(path, number, f"has the label {found!r}; allowed are {', '.join(allowed)}")
    return list(allowed).index(found)


def not_empty(path: Path, rows: list[Row]) -> list[Row]:
    """The rows; BadInput if there are none."""
    if not rows:
        raise BadInput(f"{path} contains no rows; replace it with the published file.")
    return rows


def wrong(path: Path, number: int, what: str) -> BadInput:
    """The error for a bad line."""
    return BadInput(f"{path}, line {number}: {what}.")


def short(value: Any) -> str:
    """A value for an error message."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
