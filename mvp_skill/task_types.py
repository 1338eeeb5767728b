"""Types of tasks in the second paper, and which adversarial set belongs to which task.

Its tables and figures have eight clean tasks in this order: two of ethical judgement, two of
paraphrase, one of NLI and three of sentiment; each adversarial set stands after the tasks of its
type. (Where theirs has one task of NLI and three of sentiment, the mini world has two of each.)

Source: Ackermann and Ohmer 2023.
"""

from collections.abc import Iterable

from mvp_skill.errors import BadInput
from mvp_skill.tasks import ADVERSARIAL, task_named

# In the order of the figures; other tasks of a type than the paper's are at its end.
TYPES: dict[str, tuple[str, ...]] = {
    "ethics": ("ethics_deontology", "ethics_justice", "mini_excuses", "mini_acts"),
    "paraphrase": ("qqp", "mrpc", "mini_duplicates", "mini_paraphrases"),
    "NLI": ("qnli", "mini_nli_binary", "mini_answers", "mnli_binary", "rte", "mini_nli"),
    "sentiment": (
        *("sst2", "imdb", "movie_rationales", "mini_films", "mini_restaurants"),
        *("rotten_tomatoes", "amazon_polarity"),
    ),
}
PAPER_TASKS = (
    *("ethics_deontology", "ethics_justice", "qqp", "mrpc"),
    *("qnli", "sst2", "imdb", "movie_rationales"),
)
MINI_TASKS = (
    *("mini_excuses", "mini_acts", "mini_duplicates", "mini_paraphrases"),
    *("mini_nli_binary", "mini_answers", "mini_films", "mini_restaurants"),
)


def type_of(task: str) -> str:
    """The type of a task, one of TYPES; that of an adversarial set is its clean task's.

    raises   BadInput for an unknown task, or one that has none of these types
    """
    clean = clean_task(task)
    for name, tasks in TYPES.items():
        if clean in tasks:
            return name
    allowed = ", ".join(name for tasks in TYPES.values() for name in tasks)
    raise BadInput(f"{task} has none of the types {', '.join(TYPES)}; use {allowed}.")


def clean_task(task: str) -> str:
    """The task that an adversarial set was made from; of any other task, itself."""
    return task_named(task).clean or task


def adversarial_task(task: str) -> str | None:
    """The adversarial set that was made from a task; None if there is none."""
    task_named(task)
    return next((name for name, found in ADVERSARIAL.items() if found.clean == task), None)


def sets_of(tasks: Iterable[str]) -> dict[str, str]:
    """Task to its adversarial set, of those tasks that have one.

    raises   BadInput if none has
    """
    asked = list(tasks)
    found = {task: name for task in asked if (name := adversarial_task(task))}
    if not found:
        have = ", ".join(sorted(task.clean for task in ADVERSARIAL.values()))
        raise BadInput(
            f"None of {', '.join(asked)} has an adversarial set; give one of {have} in TASKS."
        )
    return found


def with_adversarial(tasks: Iterable[str]) -> tuple[str, ...]:
    """The tasks and their adversarial sets, in the order of the figures.

    By type; within one the tasks first, as they are given, then their adversarial sets.
    """
    by_type: dict[str, list[str]] = {name: [] for name in TYPES}
    for task in tasks:
        by_type[type_of(task)].append(task)
    return tuple(
        name
        for found in by_type.values()
        for name in [*found, *filter(None, map(adversarial_task, found))]
    )
