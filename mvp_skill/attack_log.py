"""The log of an attack: one JSON line per example, written as examples finish."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame

OUTCOMES = ("succeeded", "failed", "skipped", "error")
VERDICTS = ("kept", "changed", "undecidable")
FIELDS = (
    "index",  # position in the attacked examples
    "label",
    "clean_pred",
    "attacked_pred",
    "outcome",  # failed: the victim stayed right; skipped: it was wrong before; error: it raised
    "n_queries",  # texts the attack asked the victim about, the first one included
    "perturbed_fraction",  # words changed / words, over all columns
    "n_words",
    "texts",  # one per column
    "attacked_texts",  # the same after the attack; if it failed, the best it found
    "oracle",  # one of VERDICTS: does the label still hold? None if nobody was asked
    "seconds",  # of its own search, and its share of the calls that many examples made together
    "error",  # what was raised, else None
)


class AttackLog:
    """What an attack did to each example.

    parameters   everything the outcome depends on, as JSON values
    path         JSON-lines file: a header with the parameters, then a line per finished example, in
                 the order in which they ended.
                 If it exists, its examples are taken over; a last line that was cut off when the
                 writing process was killed is dropped. None keeps the log in memory only.
    raises       BadInput if the file was made with other parameters or is damaged
    """

    def __init__(self, parameters: Mapping[str, Any], path: str | Path | None = None):
        self.parameters = json.loads(json.dumps(parameters))  # tuples become lists, as in the file
        self.path = None if path is None else Path(path)
        self._records: dict[int, dict] = {}  # by the number of the example
        if self.path is not None:
            self._take_over_or_start(self.path)

    @property
    def records(self) -> list[dict]:
        """What is known of the examples, in their order."""
        return [self._records[index] for index in sorted(self._records)]

    def append(self, record: Mapping[str, Any]) -> None:
        """Add an example that has ended; with a path, it is in the file when this returns."""
        if set(record) != set(FIELDS) or record["outcome"] not in OUTCOMES:
            raise ValueError(f"not a record with the fields {FIELDS}: {record}")
        if record["index"] in self._records or record["index"] < 0:
            raise ValueError(f"example {record['index']} is there already, or is none")
        record = {field: record[field] for field in FIELDS}
        if self.path is not None:
            _append_line(self.path, record)
        self._records[record["index"]] = record

    def to_frame(self) -> "DataFrame":
        """One row per example: the fields, and `text` and `attacked_text` (one column per line)."""
        import pandas as pd

        frame = pd.DataFrame(self.records, columns=FIELDS)
        frame["text"] = ["\n".join(texts) for texts in frame["texts"]]
        frame["attacked_text"] = ["\n".join(texts) for texts in frame["attacked_texts"]]
        return frame

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, index: int) -> bool:
        return index in self._records

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a finished or unfinished log without touching the file."""
        path = Path(path)
        if not path.is_file():
            raise BadInput(f"There is no attack log at {path}; run the attack first.")
        lines, _ = _read_lines(path)
        if not lines:
            raise BadInput(f"The attack log {path} is empty; delete it and run the attack again.")
        log = cls(_parameters(lines[0], path))
        log._records = {line["index"]: line for line in lines[1:]}
        return log

    def _take_over_or_start(self, path: Path) -> None:
        lines, n_bytes = _read_lines(path) if path.exists() else ([], 0)
        if lines:
            _refuse_other_parameters(_parameters(lines[0], path), self.parameters, path)
            self._records = {line["index"]: line for line in lines[1:]}
            with path.open("rb+") as file:
                file.truncate(n_bytes)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
            _append_line(path, {"attack_log": 1, "parameters": self.parameters})


def _append_line(path: Path, value: dict) -> None:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
    with path.open("ab") as file:
        file.write(line.encode("utf-8"))


def _read_lines(path: Path) -> tuple[list, int]:
    """The values of the complete lines and their bytes; an unfinished last line is left out."""
    values, n_bytes = [], 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it has no end")
            values.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise BadInput(
                f"Line {number} of the attack log {path} is damaged ({error}); delete the file and "
                "run the attack again."
            ) from error
        n_bytes += len(line)
    return values, n_bytes


def _parameters(header: Any, path: Path) -> dict:
    if not isinstance(header, dict) or header.get("attack_log") != 1:
        raise BadInput(f"{path} is not an attack log of this package; choose another log path.")
    return header["parameters"]


def _refuse_other_parameters(stored: dict, wanted: dict, path: Path) -> None:
    names = [name for name in {**stored, **wanted} if stored.get(name) != wanted.get(name)]
    if names:
        changes = "; ".join(f"{n}: {stored.get(n)} there, {wanted.get(n)} here" for n in names)
        raise BadInput(
            f"The attack log {path} belongs to another attack ({changes}); delete it or choose "
            "another log path."
        )
