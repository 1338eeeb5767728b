"""Annotation sheets from attack logs: do people still see the label, do they see the manipulation?

    sheet = draw_sheet([AttackLog.read("log.jsonl")], n=20, seed=1)
    write_sheet(sheet, "sheet.csv")        # to hand out; the key goes to sheet.key.json
    ...                                    # annotators fill copies of sheet.csv
    score_sheets("sheet.key.json", ["ann.csv", "ben.csv"])        # in annotation_scores.py

An attack may change the label together with the words; what the victim then says is no error. The
mini world has an oracle for this question, real data need readers.

Source: Raman et al. 2023, the human study.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mvp_skill.attack_log import AttackLog
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_atomically, write_json
from mvp_skill.tasks import task_named

ANSWERS = ("label", "manipulated", "confidence")  # columns to be filled in
CONFIDENCES = ("1", "2", "3", "4", "5")
CONSONANTS = "bcdfghjklmnpqrstvwxz"  # ids never look like a word, a number or a date
# A spreadsheet takes a cell that begins so for a formula, which may call programs.
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Item:
    """One line of a sheet, with what annotators do not see."""

    id: str
    texts: tuple[str, ...]
    label: str
    """The example's label: right for the clean text, and for the other if the attack kept it."""
    manipulated: bool
    log: int
    """Number of the attack log in `Sheet.logs`."""
    index: int
    """The example in that log."""


@dataclass(frozen=True)
class Sheet:
    """A drawn sheet and its key."""

    task: str
    columns: tuple[str, ...]
    label_names: tuple[str, ...]
    seed: int
    logs: tuple[dict[str, Any], ...]
    """The parameters of the attacks."""
    items: tuple[Item, ...]

    @property
    def instructions(self) -> str:
        """What to tell annotators; it does not say how many texts are manipulated."""
        return (
            f"For each line fill in `label` with {' or '.join(self.label_names)}, whatever seems "
            "right to you, and `manipulated` with yes or no: might a machine have changed words "
            f"in it? `confidence` may stay empty, or be {CONFIDENCES[0]} (a guess) to "
            f"{CONFIDENCES[-1]} (certain). An apostrophe at the very front is not part of a text. "
            "Answer every line, in order, and do not talk about it before all have finished."
        )


def draw_sheet(logs: Sequence[AttackLog], n: int, *, seed: int = 0) -> Sheet:
    """`n` clean and `n` adversarial texts in random order, from the successful attacks of the logs.

    Both kinds are of examples whose attack succeeded, assigned by lot, so that a difference between
    them is due to the attack and not to the choice of examples. No example is there twice: neither
    clean and attacked, nor attacked in two logs. Classes are as equal as the logs allow, over all
    and in each kind (to within one); attacked texts come from all logs alike where these share
    examples.

        logs     of attacks on one task
        n        texts of each kind
        raises   BadInput for logs of several tasks, n below 1, or too few successful attacks
    """
    import numpy as np

    from mvp_skill.seeding import derived_seed

    task = task_named(_only_task(logs))
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise BadInput(f"n must be a whole number of at least 1, not {n!r}.")
    generator = np.random.default_rng(derived_seed(seed, "annotation sheet"))
    examples = _successes(logs, len(task.label_names), generator)
    chosen = _halves(examples, n)
    used = [0] * len(logs)
    drawn = [_clean(example) for example in chosen[False]]
    drawn += [_attacked(example, used) for example in chosen[True]]
    code = "".join(CONSONANTS[i] for i in generator.integers(len(CONSONANTS), size=4))
    items = []
    for number, place in enumerate(generator.permutation(2 * n), start=1):
        log, record, texts, manipulated = drawn[place]
        shown = tuple(" ".join(text.split()) for text in texts)  # a line of the file each
        label = task.label_names[record["label"]]
        name = f"{code}-{number:03}"
        items.append(Item(name, shown, label, manipulated, log, record["index"]))
    parameters = tuple(log.parameters for log in logs)
    return Sheet(task.name, task.columns, task.label_names, seed, parameters, tuple(items))


def write_sheet(sheet: Sheet, path: str | Path) -> tuple[Path, Path]:
    """The sheet as a CSV file, to be filled in, and its key beside it; returns both paths.

    UTF-8 with a byte order mark, without which Excel takes the text for something else. A text that
    a spreadsheet would take for a formula gets an apostrophe in front.

    raises   BadInput if another sheet (perhaps a filled one) is there already
    """
    path = Path(path)
    key = path.with_suffix(".key.json")
    content = _as_csv(sheet)
    other_sheet = path.exists() and path.read_bytes() != content
    if other_sheet or (key.exists() and read_key(key) != sheet):
        raise BadInput(
            f"{path if other_sheet else key} exists and is not of this sheet as it was drawn; it "
            "may be needed, so choose another name or delete it."
        )
    stored = {"annotation_key": 1, **asdict(sheet)}
    return write_atomically(path, content), write_json(key, stored)


def read_key(path: str | Path) -> Sheet:
    """The sheet of a key file; BadInput if it is none."""
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.pop("annotation_key", None) != 1:
        raise BadInput(f"{path} is not the key of an annotation sheet; give its .key.json file.")
    items = [Item(**{**item, "texts": tuple(item["texts"])}) for item in stored.pop("items")]
    lists = {name: tuple(stored.pop(name)) for name in ("columns", "label_names", "logs")}
    return Sheet(**stored, **lists, items=tuple(items))


def _only_task(logs: Sequence[AttackLog]) -> str:
    tasks = {log.parameters.get("task") for log in logs}
    if len(tasks) != 1:
        found = ", ".join(sorted(map(str, tasks))) or "none"
        raise BadInput(f"A sheet needs attack logs of one task, here are {found}.")
    return tasks.pop()


def _successes(logs: Sequence[AttackLog], n_classes: int, generator: Any) -> list[list[dict]]:
    """Per class, in random order, the examples on which an attack succeeded: log -> record."""
    found: dict[tuple[str, ...], dict[int, dict]] = {}
    for number, log in enumerate(logs):
        for record in log.records:
            if record["outcome"] == "succeeded":
                found.setdefault(tuple(record["texts"]), {})[number] = record
    examples = list(found.values())
    shuffled = [examples[i] for i in generator.permutation(len(examples))]
    return [[e for e in shuffled if _label(e) == label] for label in range(n_classes)]


def _label(example: dict[int, dict]) -> int:
    return next(iter(example.values()))["label"]


def _halves(examples: list[list[dict]], n: int) -> dict[bool, list[dict]]:
    """`n` examples to be shown clean (False) and `n` attacked (True), classes in equal numbers."""
    available = [len(of_class) for of_class in examples]
    if sum(available) < 2 * n:
        raise BadInput(
            f"{n} clean and {n} adversarial texts need {2 * n} different examples on which an "
            f"attack succeeded, but there are {sum(available)}; choose n up to "
            f"{sum(available) // 2}, or attack more examples."
        )
    chosen: dict[bool, list[dict]] = {False: [], True: []}
    odd = 0
    for of_class, quota in zip(examples, _quotas(available, 2 * n), strict=True):
        n_clean = quota // 2 + (quota % 2) * (odd % 2 == 0)
        odd += quota % 2  # classes with an odd number give the extra text to either kind in turn
        chosen[False] += of_class[:n_clean]
        chosen[True] += of_class[n_clean:quota]
    return chosen


def _quotas(available: Sequence[int], total: int) -> list[int]:
    """How many of each class make `total`, as equal as what is available allows."""
    quotas = [0] * len(available)
    for _ in range(total):
        open_classes = [c for c in range(len(available)) if quotas[c] < available[c]]
        quotas[min(open_classes, key=quotas.__getitem__)] += 1
    return quotas


def _clean(example: dict[int, dict]) -> tuple[int, dict, list[str], bool]:
    log, record = next(iter(example.items()))
    return log, record, record["texts"], False


def _attacked(example: dict[int, dict], used: list[int]) -> tuple[int, dict, list[str], bool]:
    """The attacked text from the log that has given the fewest."""
    log = min(example, key=used.__getitem__)
    used[log] += 1
    return log, example[log], example[log]["attacked_texts"], True


def _as_csv(sheet: Sheet) -> bytes:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(["id", *sheet.columns, *ANSWERS])
    for item in sheet.items:
        writer.writerow([item.id, *map(_harmless, item.texts), *[""] * len(ANSWERS)])
    return content.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
