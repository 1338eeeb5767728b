"""Attack logs in the format of TextAttack's CSVLogger."""

import csv
from collections.abc import Sequence
from pathlib import Path

from mvp_skill.attack_log import AttackLog
from mvp_skill.errors import BadInput
from mvp_skill.textattack_import import textattack

OUTCOMES = {"Successful": "succeeded", "Failed": "failed", "Skipped": "skipped"}
NUMBERS = {
    "label": "ground_truth_output",
    "clean_pred": "original_output",
    "attacked_pred": "perturbed_output",
    "n_queries": "num_queries",
}
SPLIT = "<SPLIT>"  # TextAttack writes this between columns


def read_textattack_csv(path: str | Path, columns: Sequence[str] = ("text",)) -> AttackLog:
    """Read a file of TextAttack's CSVLogger (colour method "file", its default).

    The format knows no index, verdict, or seconds: examples are numbered by row, the others None.
    Text in double square brackets is what TextAttack marks as changed; the brackets are removed.

    columns   names of the text columns as the attacked data set had them, in order
    raises    BadInput if the file is missing, or a column or a row is not in that format
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"There is no CSV file at {path}; check the path.")
    log = AttackLog({"source": path.name, "columns": list(columns)})
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        wanted = ["original_text", "perturbed_text", "result_type", *NUMBERS.values()]
        missing = [name for name in wanted if name not in (rows.fieldnames or ())]
        if missing:
            raise BadInput(
                f"{path} lacks the columns {missing}; give a file of TextAttack's CSVLogger."
            )
        for index, row in enumerate(rows):
            try:
                log.append({"index": index, **_record(row, columns)})
            except (ValueError, KeyError) as error:
                raise BadInput(
                    f"Example {index} of {path} is not a classification result over the columns "
                    f"{list(columns)} ({error}); check the columns, and that TextAttack wrote it."
                ) from error
    return log


def _record(row: dict[str, str], columns: Sequence[str]) -> dict:
    texts = _texts(row["original_text"], columns)
    attacked_texts = _texts(row["perturbed_text"], columns)
    words, attacked_words = _words(texts), _words(attacked_texts)
    n_changed = sum(a != b for a, b in zip(words, attacked_words, strict=False))
    return {
        **{field: int(float(row[name])) for field, name in NUMBERS.items()},
        "outcome": OUTCOMES[row["result_type"]],
        "perturbed_fraction": n_changed / max(1, len(words)),
        "n_words": len(words),
        "texts": texts,
        "attacked_texts": attacked_texts,
        "oracle": None,
        "seconds": None,
        "error": None,
    }


def _texts(marked: str, columns: Sequence[str]) -> list[str]:
    """The texts of the columns: `a` for one, `First: a<SPLIT>Second: b` for several."""
    text = marked.replace("[[", "").replace("]]", "")
    if len(columns) == 1:
        return [text.replace(SPLIT, "\n")]
    parts = text.split(SPLIT)
    names = [f"{column.capitalize()}: " for column in columns]
    if len(parts) != len(names) or not all(map(str.startswith, parts, names)):
        raise ValueError(f"its texts do not begin with {names}")
    return [part.removeprefix(name) for part, name in zip(parts, names, strict=True)]


def _words(texts: list[str]) -> list[str]:
    return textattack().shared.utils.words_from_text("\n".join(texts))
