"""What paper B's abstract claims, and what the runs' recorded claims say of each statement.

    told = statements(load_claims("../results"))

Source: Ackermann and Ohmer 2023, abstract, in our words.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from mvp_skill.results import VERDICTS, claim

if TYPE_CHECKING:
    from pandas import DataFrame

TRANSFER, ADVERSARIAL = "22_prompt_transfer", "23_adversarial_data"
NEURONS, SUPPRESSION = "24_skill_neurons", "25_suppression"
CARRY_OVER, PATCHING = "26_neurons_on_adversarial_data", "27_patching"


class Statement(NamedTuple):
    """One thing that the abstract says."""

    text: str
    parts: tuple[tuple[str, str], ...]
    """Notebook, and what the claims that speak to it have in their text; each must be recorded."""


ABSTRACT = (
    Statement(
        "Prompts tuned for one task transfer to other tasks of its type",
        (
            (TRANSFER, "Prompts of RoBERTa transfer to tasks of the same type"),
            (TRANSFER, "Prompts of T5 transfer to tasks of the same type"),
        ),
    ),
    Statement(
        "Prompts are not robust: on adversarial data RoBERTa falls below chance",
        ((ADVERSARIAL, "RoBERTa falls below chance"),),
    ),
    Statement(
        "T5 is more robust: it stays above chance in two of three cases",
        ((ADVERSARIAL, "T5 stays above chance"), (ADVERSARIAL, "T5 is more robust")),
    ),
    Statement(
        "There are skill neurons in RoBERTa",
        (
            (NEURONS, "Skill neurons exist in RoBERTa"),
            (SUPPRESSION, "suppressing skill neurons costs RoBERTa"),
        ),
    ),
    Statement(
        "There are skill neurons in T5, too",
        (
            (NEURONS, "Skill neurons exist in T5"),
            (SUPPRESSION, "suppressing skill neurons costs T5"),
        ),
    ),
    Statement(
        "T5's skill neurons of clean data are also among the most predictive on adversarial data",
        ((CARRY_OVER, "T5's clean skill neurons are among"),),
    ),
    Statement(
        "RoBERTa's are not",
        ((CARRY_OVER, "RoBERTa's clean skill neurons are not among"),),
    ),
    Statement(
        "Robustness may come from activating the same skill neurons on adversarial data, too",
        (
            (CARRY_OVER, "T5's clean skill neurons carry over"),
            (PATCHING, "state returns RoBERTa more accuracy"),
            (PATCHING, "state returns T5 more accuracy"),
        ),
    ),
)


def statements(claims: "DataFrame") -> list[dict[str, Any]]:
    """Each statement of the abstract as a claim: its verdict is that of its parts together.

    claims   of `results.load_claims`, of one scale
    """
    return [
        claim(
            one.text,
            f"every recorded claim that speaks to it holds: {', '.join(_numbers(one))}",
            together(held for part in one.parts for held in _recorded(claims, *part)),
        )
        for one in ABSTRACT
    ]


def together(held: Iterable[bool | None]) -> bool | None:
    """Whether all hold: False as soon as one does not; None if one is open, or there is none."""
    found = list(held)
    if False in found:
        return False
    return None if not found or None in found else True


def evidence(claims: "DataFrame") -> "DataFrame":
    """A row per statement and recorded claim: statement, notebook, claim, criterion, verdict."""
    import pandas

    columns = ["notebook", "claim", "criterion", "verdict"]
    rows = []
    for one in ABSTRACT:
        for notebook, words in one.parts:
            found = _matching(claims, notebook, words)[columns].to_dict("records")
            missing = {"notebook": notebook, "claim": f"… {words} …", "criterion": "not run"}
            missing["verdict"] = VERDICTS[None]
            rows += [{"statement": one.text} | row for row in found or [missing]]
    return pandas.DataFrame(rows, columns=["statement", *columns])


def _recorded(claims: "DataFrame", notebook: str, words: str) -> list[bool | None]:
    """What the recorded claims of a part say; [None] if none is recorded."""
    held = {verdict: value for value, verdict in VERDICTS.items()}
    found = _matching(claims, notebook, words)["verdict"]
    return [held[verdict] for verdict in found] or [None]


def _matching(claims: "DataFrame", notebook: str, words: str) -> "DataFrame":
    there = claims["claim"].str.contains(words, regex=False)
    # "T5" is also the beginning of "T5's decoder", which the papers do not speak of.
    beyond = claims["claim"].str.contains("beyond the paper", regex=False)
    return claims[(claims["notebook"] == notebook) & there & ~beyond]


def _numbers(one: Statement) -> list[str]:
    return sorted({notebook[:2] for notebook, _ in one.parts})
