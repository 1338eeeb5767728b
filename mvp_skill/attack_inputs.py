"""What an attack is given, checked before the first example is attacked."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

import mvp_skill
from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from mvp_skill.tasks import Task

COMMON = ("query_budget",)  # options that every recipe has
RESERVED = "<SPLIT>"  # TextAttack's mark between columns; in a text it would break them apart


def check_options(query_budget: int | None, concurrency: int) -> None:
    """BadInput unless both numbers are at least 1; a budget of None means no limit."""
    for name, value in (("query_budget", query_budget), ("concurrency", concurrency)):
        if value is not None and value < 1:
            raise BadInput(f"{name} must be at least 1, not {value}.")


class Row(NamedTuple):
    """One example to attack."""

    texts: list[str]  # one per column of the task
    label: int


def rows_of(examples: Iterable[dict], task: "Task") -> list[Row]:
    """The examples as rows; BadInput if one does not fit the task, or there are none."""
    rows = [Row(list(e["texts"]), int(e["label"])) for e in examples]
    if not rows:
        raise BadInput("There is nothing to attack; give at least one example (N_ATTACKED >= 1).")
    for index, (texts, label) in enumerate(rows):
        if len(texts) != len(task.columns):
            raise BadInput(
                f"Example {index} has {len(texts)} texts, but the columns of {task.name} are "
                f"{', '.join(task.columns)}; give one text per column."
            )
        if not 0 <= label < len(task.label_names):
            raise BadInput(
                f"Example {index} has the label {label}, but {task.name} has the labels 0 to "
                f"{len(task.label_names) - 1} ({', '.join(task.label_names)})."
            )
        if any(RESERVED in text for text in texts):
            raise BadInput(f"Example {index} contains {RESERVED}, which TextAttack reserves.")
    if not 0 < task.max_perturbed_fraction <= 1:  # TextAttack takes 0 for "no limit"
        raise BadInput(
            f"max_perturbed_fraction of {task.name} is {task.max_perturbed_fraction}; "
            "it must be above 0 and at most 1."
        )
    return rows


def check_victim(victim: Callable, rows: list[Row], task: "Task") -> None:
    """BadInput unless the victim gives finite logits [batch, class], twice the same for a text."""
    import torch

    texts = [row.texts[0] if len(row.texts) == 1 else tuple(row.texts) for row in rows[:2]]
    with torch.inference_mode():
        first, second = victim(texts), victim(texts)
    wanted = (len(texts), len(task.label_names))  # [batch, class]
    if not isinstance(first, torch.Tensor) or tuple(first.shape) != wanted:
        got = list(first.shape) if isinstance(first, torch.Tensor) else type(first).__name__
        raise BadInput(
            "The victim must return a tensor of logits [batch, class], "
            f"here {list(wanted)} for the task {task.name}, not {got}."
        )
    if not first.isfinite().all():
        raise BadInput(
            "The victim's logits are not finite; train it again with a lower learning rate."
        )
    if not torch.equal(first, second):
        raise BadInput(
            "The victim answers the same texts differently each time, so an attack would collect "
            "lucky draws; make it deterministic in evaluation mode (dropout off)."
        )


def check_recipe_options(name: str, recipe: Callable, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, if the recipe has all of them; else BadInput with those it has."""
    parameters = signature(recipe).parameters.values()
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in COMMON]
    for option in options:
        if option not in own:
            allowed = f"it has {', '.join(own)}" if own else "it has none"
            raise BadInput(f"The attack {name} has no option {option!r}; {allowed}.")
    return dict(options)


def made_of(task: "Task", fingerprints: dict[str, str], rows: list[Row]) -> dict[str, Any]:
    """Everything else an attack's outcome depends on, for the head of its log."""
    text = json.dumps(rows, ensure_ascii=False)
    return {
        "task": task.name,
        "columns": task.columns,
        "frozen": task.frozen,
        "max_perturbed_fraction": task.max_perturbed_fraction,
        "resources": fingerprints,
        "examples": f"{len(rows)}, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}",
        "versions": {
            "mvp_skill": mvp_skill.__version__,
            **{name: version(name) for name in ("textattack", "torch", "transformers", "numpy")},
        },
    }
