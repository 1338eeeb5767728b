"""Adversarial data: sets that others made from the rows of a task, for measuring and nothing else.

AdvGLUE (Wang et al. 2021) is read from its dev file, whose labels are public, or from the hub. The
mini world's own sets are files of this package. All have a test split only: a prompt is tuned, and
a checkpoint selected, on the clean task's rows.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput
from mvp_skill.hub import HubSource
from mvp_skill.layouts import Layout
from mvp_skill.published import Published
from mvp_skill.records import Row, json_objects, not_empty, short, wrong
from mvp_skill.splits import as_published

LOGGER = logging.getLogger(__name__)
MINI_FOLDER = Path(__file__).parent / "mini" / "adversarial"
# Of the published dev file, six lists in one object. Another one is read, with a warning.
ADV_GLUE_SHA256 = "ddbaffce5a1ff0c1fb15812aa6546656f27372402c1141bbfbb2a86270ba3477"


def adv_glue(
    key: str,
    columns: tuple[str, ...],
    label_counts: tuple[int, ...],
    classes: tuple[int | None, ...] | None = None,
) -> Published:
    """One task of AdvGLUE's dev set.

    key            its name in the file
    columns        the texts in the order the model sees them
    label_counts   rows per class, in the file's numbering
    classes        our class of each of these, None for rows that are left out
    """
    hub = HubSource(
        "AI-Secure/adv_glue",
        "e1abda026f687e917a8d9895469194736ebe872c",
        {"test": (f"adv_{key}/validation-00000-of-00001.parquet",)},
        columns,
        "label",
        {"test": label_counts},
        classes,
    )
    layout = Layout({"test": ("dev.json", "adv_glue_dev.json")}, adv_glue_reader(key, hub))
    folders = ("adv_glue", "advglue", "AdvGLUE", "adversarial")
    return Published((layout,), hub, as_published, folders=folders)


def adv_glue_reader(key: str, hub: HubSource) -> Callable[[Path], list[Row]]:
    """A reader of one task's list in AdvGLUE's JSON file; classes as those of the hub's copy.

    The reader raises BadInput for a file that is no such object, or a bad entry, which it names.
    """

    def read(path: Path) -> list[Row]:
        rows = []
        for number, entry in enumerate(_entries(path, key)):
            texts, label = _texts_and_label(entry, hub)
            if texts is None:
                keys = [*hub.columns, "label"]
                what = f"expected texts and a class number as {keys}, found {short(entry)}"
                raise BadInput(f"{path}, {key}, entry {number}: {what}.")
            if label is not None:
                rows.append({"texts": texts, "label": label})
        return not_empty(path, rows)

    return read


def _entries(path: Path, key: str) -> list[Any]:
    content = path.read_bytes()
    try:
        found = json.loads(content)
    except ValueError as error:  # also a file that is not UTF-8
        raise BadInput(f"{path} is not valid JSON ({error}); download it again.") from error
    if not isinstance(found, dict) or not isinstance(found.get(key), list):
        raise BadInput(f"{path} has no list {key!r}; it must be AdvGLUE's dev.json.")
    if hashlib.sha256(content).hexdigest() != ADV_GLUE_SHA256:
        LOGGER.warning("%s is not the published dev file of AdvGLUE (its SHA-256 differs)", path)
    return found[key]


def _texts_and_label(entry: Any, hub: HubSource) -> tuple[list[str] | None, int | None]:
    """Texts, None if the entry is none of the task's; our class, None if it is left out."""
    fields = entry if isinstance(entry, dict) else {}
    texts, label = [fields.get(column) for column in hub.columns], fields.get("label")
    is_class = isinstance(label, int) and not isinstance(label, bool)
    if not all(isinstance(text, str) for text in texts) or not is_class:
        return None, None
    if not 0 <= label < len(hub.label_counts["test"]):
        return None, None
    return texts, hub.our_class(label)


def mini_records(
    task: str, columns: Sequence[str], n_classes: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and records of an adversarial set of the mini world.

    The file is a JSON object a line. The first, the header, names the `task` and the `clean_task`
    and says under `provenance` how the set was made. Each other one has `texts`, `label`, and
    `original_texts`, the clean task's texts that it was made from.

        task        its name, and that of the file without .jsonl
        columns     of the task
        n_classes   of the task
        raises      BadInput if the file is not there, or a line is not as above
    """
    path = MINI_FOLDER / f"{task}.jsonl"
    if not path.is_file():
        raise BadInput(
            f"{task} is read from {path.name}, which this copy of the package does not have in "
            f"{path.parent.parent.name}/{path.parent.name}; choose another task, or put it there."
        )
    lines = list(json_objects(path))
    header = lines[0][1] if lines else {}
    if header.get("task") != task or not all(header.get(k) for k in ("clean_task", "provenance")):
        keys = "task (this one), clean_task and provenance"
        raise wrong(path, 1, f"expected a header with {keys}, found {short(header)}")
    for number, record in lines[1:]:
        _check_record(path, number, record, columns, n_classes)
    return header, not_empty(path, [record for _, record in lines[1:]])


def _check_record(
    path: Path, number: int, record: dict[str, Any], columns: Sequence[str], n_classes: int
) -> None:
    label = record.get("label")
    both = [record.get("texts"), record.get("original_texts")]
    are_texts = all(
        isinstance(texts, list)
        and len(texts) == len(columns)
        and all(isinstance(text, str) and text.strip() for text in texts)
        for texts in both
    )
    if not are_texts or type(label) is not int or not 0 <= label < n_classes:
        what = f"texts and original_texts ({len(columns)} each) and a label below {n_classes}"
        raise wrong(path, number, f"expected {what}, found {short(record)}")
