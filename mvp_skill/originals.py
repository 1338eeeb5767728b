"""The clean texts that adversarial ones were made from.

    originals("mini_adv_films", texts)    # one for each; None if the set does not say

Who ranks neurons on a text and tests them on its adversarial version tests them on what they were
chosen by.
"""

from collections.abc import Sequence

from mvp_skill.adversarial import mini_records
from mvp_skill.tasks import task_named


def originals(data: str, texts: Sequence[Sequence[str]]) -> list[tuple[str, ...]] | None:
    """The clean texts that adversarial ones were made from; None if the set does not say.

    data    an adversarial set; only those of the mini world say it
    texts   those of its test split, in any order
    """
    task = task_named(data)
    if task.clean is None or task.published is not None:
        return None
    _, records = mini_records(data, task.columns, len(task.label_names))
    made_from = {_key(one["texts"]): _key(one["original_texts"]) for one in records}
    return [made_from[_key(one)] for one in texts]


def _key(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts)
