"""What filled annotation sheets say: accuracy, detection and agreement of the annotators."""

import csv
import io
from collections.abc import Iterator, Sequence
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.annotation import ANSWERS, CONFIDENCES, Sheet, read_key
from mvp_skill.errors import BadInput
from mvp_skill.metrics import wilson_interval

if TYPE_CHECKING:
    from pandas import DataFrame

YES_NO = ("no", "yes")
COLUMNS = ("who", "measure", "value", "low", "high", "n")


class Answer(NamedTuple):
    """What an annotator said about one text."""

    label: int
    manipulated: int
    confidence: float
    """1 to 5; NaN if left empty."""


def score_sheets(
    key: str | Path, filled: Sequence[str | Path], confidence: float = 0.95
) -> "DataFrame":
    """Accuracy, detection and agreement from copies of one sheet, each filled by one annotator.

        accuracy_clean, accuracy_adversarial   share of the texts given the example's label
        detection_rate                         share of the manipulated texts taken for such
        false_alarm_rate                       share of the clean texts taken for manipulated
        confidence_clean, confidence_adversarial   means, where every text has one
        kappa_label (_clean, _adversarial), kappa_manipulated   agreement beyond chance: Cohen's
                                               kappa for two annotators, Fleiss' for more

    returns   a frame with the columns who, measure, value, low, high, n. `who` is a file's name, or
              "all", or the kind of kappa. low and high are Wilson intervals, n counts texts. For
              "all" the value is the mean over annotators, and the interval still counts texts: how
              people read one text is not independent, and more of them are not more texts
    raises    BadInput for no sheets or two of one name; naming file and line for an unknown or
              repeated id, a missing row, or an answer that is not allowed
    """
    import pandas as pd

    sheet = read_key(key)
    names = [Path(path).stem for path in filled]
    if not names or len(set(names)) < len(names):
        raise BadInput(f"Give filled sheets under different names, at least one, not {names}.")
    answers = [read_answers(path, sheet) for path in filled]
    shape = (len(answers), len(sheet.items), len(Answer._fields))
    answered = np.array(answers, dtype=float).reshape(shape)  # [annotator, item, answer]
    readers = [(who, answered[[i]]) for i, who in enumerate(names)]
    readers += [("all", answered)] if len(names) > 1 else []
    rows = [row for who, given in readers for row in _scores(who, sheet, given, confidence)]
    rows += _agreement(sheet, answered) if len(names) > 1 else []
    return pd.DataFrame(rows, columns=COLUMNS)


def score_folder(folder: str | Path, confidence: float = 0.95) -> "DataFrame":
    """`score_sheets` for a folder with one key and the filled copies of its sheet.

    The sheet as it was drawn may lie there, too: a CSV file without a single answer is passed over.

    raises   BadInput for a folder without exactly one key, and as `score_sheets` does
    """
    folder = Path(folder).expanduser()
    keys = sorted(folder.glob("*.key.json"))
    if len(keys) != 1:
        found = ", ".join(path.name for path in keys) or "none"
        raise BadInput(
            f"{folder} must have exactly one .key.json file, that of the sheet, beside the filled "
            f"sheets; there is {found}."
        )
    sheets = [path for path in sorted(folder.glob("*.csv")) if not _is_blank(path)]
    if not sheets:
        raise BadInput(f"{folder} has no filled sheet; put the annotators' CSV files there.")
    return score_sheets(keys[0], sheets, confidence)


def read_answers(path: str | Path, sheet: Sheet) -> list[Answer]:
    """The answers of one annotator, in the order of the sheet's items.

    Reads what spreadsheets make of the file: commas, semicolons or tabs, rows in another order,
    capitals, blank lines.

    raises   BadInput naming file and line
    """
    path = Path(path)
    answers: dict[str, tuple[int, Answer]] = {}
    known = {item.id for item in sheet.items}
    for number, fields in _records(path):
        name = fields["id"]
        if name not in known:
            raise _wrong(
                path, number, f"the id {name!r} is not in the key, so it may be of another sheet"
            )
        if name in answers:
            raise _wrong(path, number, f"the id {name} stands in line {answers[name][0]} as well")
        answers[name] = number, _answer(path, number, fields, sheet.label_names)
    missing = [
        f"{item.id} (line {number} as drawn)"
        for number, item in enumerate(sheet.items, start=2)
        if item.id not in answers
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise BadInput(f"{path} lacks the rows {shown}; every text must be answered.")
    return [answers[item.id][1] for item in sheet.items]


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float:
    """Agreement of two annotators beyond chance: (p_o - p_e) / (1 - p_e); NaN if p_e is 1.

        first, second   [item], classes
        p_o             share of items on which they agree
        p_e             share expected if each kept to their own frequencies of classes

    Source: Cohen 1960.
    """
    first, second = np.asarray(first), np.asarray(second)
    classes = np.union1d(first, second)[:, None]  # [class, 1]
    expected = ((classes == first).mean(1) * (classes == second).mean(1)).sum()
    return _beyond_chance((first == second).mean(), expected)


def fleiss_kappa(answers: np.ndarray) -> float:
    """Agreement of several annotators beyond chance: (P - P_e) / (1 - P_e); NaN if P_e is 1.

        answers   [annotator, item], classes
        P         mean over items of the share of pairs of annotators that agree
        P_e       sum over classes of the squared share of all answers

    Source: Fleiss 1971.
    """
    n = len(answers)
    counts = np.stack([(answers == c).sum(0) for c in np.unique(answers)])  # [class, item]
    observed = (counts * (counts - 1)).sum(0).mean() / (n * (n - 1))
    expected = ((counts.sum(1) / answers.size) ** 2).sum()
    return _beyond_chance(observed, expected)


def _beyond_chance(observed: float, expected: float) -> float:
    return nan if np.isclose(expected, 1) else float((observed - expected) / (1 - expected))


def _scores(who: str, sheet: Sheet, answered: np.ndarray, confidence: float) -> Iterator[tuple]:
    """Rows about annotators together; `answered` is [annotator, item, answer]."""
    label, manipulated, certainty = np.moveaxis(answered, 2, 0)  # each [annotator, item]
    right = label == [sheet.label_names.index(item.label) for item in sheet.items]
    attacked = _attacked(sheet)
    for measure, hit, items in (
        ("accuracy_clean", right, ~attacked),
        ("accuracy_adversarial", right, attacked),
        ("detection_rate", manipulated == 1, attacked),
        ("false_alarm_rate", manipulated == 1, ~attacked),
    ):
        n = int(items.sum())
        k = int(hit[:, items].sum()) / len(answered)  # texts; a fraction, if annotators differ
        yield who, measure, k / n, *wilson_interval(k, n, confidence), n
    for measure, items in (("confidence_clean", ~attacked), ("confidence_adversarial", attacked)):
        yield who, measure, float(certainty[:, items].mean()), nan, nan, int(items.sum())


def _agreement(sheet: Sheet, answered: np.ndarray) -> Iterator[tuple]:
    label, manipulated, _ = np.moveaxis(answered, 2, 0)  # each [annotator, item]
    two = len(answered) == 2
    attacked = _attacked(sheet)
    for measure, given in (
        ("kappa_label", label),
        ("kappa_label_clean", label[:, ~attacked]),
        ("kappa_label_adversarial", label[:, attacked]),
        ("kappa_manipulated", manipulated),
    ):
        kappa = cohen_kappa(*given) if two else fleiss_kappa(given)
        who = "Cohen's kappa" if two else "Fleiss' kappa"
        yield who, measure, kappa, nan, nan, given.shape[1]


def _attacked(sheet: Sheet) -> np.ndarray:
    return np.array([item.manipulated for item in sheet.items])  # [item]


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column name of each line that is not blank."""
    if not path.is_file():
        raise BadInput(f"There is no filled sheet at {path}; check the path.")
    # Only ids and answers count, and they are ASCII: another encoding breaks nothing but texts.
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [name.strip().casefold() for name in next(reader, [])]
    for column in ("id", "label", "manipulated"):
        if column not in header:
            raise _wrong(path, 1, f"there is no column {column!r}; keep the sheet's first line")
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            padded = stripped + [""] * (len(header) - len(stripped))
            yield reader.line_num, dict(zip(header, padded, strict=False))


def _is_blank(path: Path) -> bool:
    return not any(fields.get(column) for _, fields in _records(path) for column in ANSWERS)


def _answer(path: Path, number: int, fields: dict[str, str], names: Sequence[str]) -> Answer:
    certainty = fields.get("confidence", "")
    if certainty and certainty not in CONFIDENCES:
        allowed = f"allowed are {', '.join(CONFIDENCES)}, or nothing"
        raise _wrong(path, number, f"confidence is {certainty!r}; {allowed}")
    label = _choice(path, number, "label", fields, names)
    manipulated = _choice(path, number, "manipulated", fields, YES_NO)
    return Answer(label, manipulated, float(certainty) if certainty else nan)


def _choice(
    path: Path, number: int, column: str, fields: dict[str, str], allowed: Sequence[str]
) -> int:
    # Spreadsheets write TRUE for true.
    found = fields[column].casefold()
    if found not in allowed:
        what = f"{column} is {fields[column]!r}" if found else f"{column} is empty"
        raise _wrong(path, number, f"{what}; allowed are {', '.join(allowed)}")
    return list(allowed).index(found)


def _wrong(path: Path, number: int, what: str) -> BadInput:
    return BadInput(f"{path}, line {number}: {what}.")
