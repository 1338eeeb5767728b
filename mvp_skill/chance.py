"""Whether accuracies lie below or above chance, when "cannot tell" is an answer.

sides = [side(low, high) for low, high in intervals]
all_below(sides), enough_above(sides, 2 / 3)
"""

from collections.abc import Sequence
from math import ceil

from mvp_skill.checks import check_choice

CHANCE = 0.5
"""Of two classes, whatever their shares are."""
LEAST_SETS = 2
"""Of accuracies, for a claim about all or most of them to hold."""
SIDES = ("below", "above", "cannot tell")


def side(low: float, high: float, chance: float = CHANCE) -> str:
    """One of SIDES: "below" if a whole interval lies below chance, "above" if it lies above."""
    return "below" if high < chance else "above" if low > chance else "cannot tell"


def all_below(sides: Sequence[str]) -> bool | None:
    """Whether all are below: no as soon as one is above.

    None if one cannot tell, or for fewer than LEAST_SETS.
    """
    _check(sides)
    if "above" in sides:
        return False
    return True if len(sides) >= LEAST_SETS and set(sides) == {"below"} else None


def enough_above(sides: Sequence[str], share: float) -> bool | None:
    """Whether at least this share of them is above.

    No if it would not be with all that cannot tell, either. None between the two, or for fewer than
    LEAST_SETS.
    """
    _check(sides)
    if len(sides) < LEAST_SETS:
        return None
    needed = ceil(share * len(sides) - 1e-9)  # two thirds of 3 are 2
    n_above = list(sides).count("above")
    if n_above >= needed:
        return True
    possible = n_above + list(sides).count("cannot tell")
    return False if possible < needed else None


def _check(sides: Sequence[str]) -> None:
    for found in sides:
        check_choice("side of chance", found, SIDES)
