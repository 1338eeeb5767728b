"""Parts that several attacks share: words to leave alone, constraints on meaning, and the goal."""

from typing import TYPE_CHECKING, Any

from mvp_skill.errors import BadInput
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack.constraints import Constraint
    from textattack.goal_functions import UntargetedClassification

    from mvp_skill.attack_resources import Resources
    from mvp_skill.attacks import Victim
    from mvp_skill.tasks import Task

MIN_ANGULAR_SIMILARITY = 0.840845057  # 1 - 0.5 / pi, which is a cosine of 0.8776
WINDOW = 15  # words around the change that the encoder compares; shorter texts always pass


def words_to_leave(task: "Task", stop_words: frozenset[str]) -> list[Any]:
    """No word twice, no stop word, no word of a frozen column."""
    before = textattack().constraints.pre_transformation
    return [
        before.RepeatModification(),
        before.StopwordModification(stopwords=stop_words),
        # Freezes nothing unless the labels are equal in order too, hence a list like TextAttack's.
        before.InputColumnModification(list(task.columns), set(task.frozen)),
    ]


def same_window(resources: "Resources") -> "Constraint":
    """The words around the change mean what they mean in the current text; short texts pass."""
    from mvp_skill.attack_constraints import EncoderSimilarity

    encoder = resources.get("encoder")
    return EncoderSimilarity(
        encoder,
        threshold=encoder.least_similarity or MIN_ANGULAR_SIMILARITY,
        metric="angular",
        compare_against_original=False,  # with the current text
        window_size=WINDOW,
        skip_text_shorter_than_window=True,
    )


def same_text(resources: "Resources", threshold: float, metric: str) -> "Constraint":
    """The whole text means what it meant before the attack."""
    from mvp_skill.attack_constraints import EncoderSimilarity

    return EncoderSimilarity(
        resources.get("encoder"),
        threshold=threshold,
        metric=metric,
        compare_against_original=True,
        window_size=None,
    )


def wrong_label(victim: "Victim", query_budget: int | None) -> "UntargetedClassification":
    """Any other label than the true one; a budget of None means no limit."""
    from mvp_skill.attack_constraints import VictimWrapper, quiet

    with quiet():
        return textattack().goal_functions.UntargetedClassification(
            VictimWrapper(victim),
            query_budget=float("inf") if query_budget is None else query_budget,
        )


def check_at_least_one(name: str, value: int) -> None:
    """BadInput unless an option of an attack is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{name} must be a whole number of at least 1, not {value!r}.")
