"""Whether a victim has learnt its task: if not, what an attack leaves of it says nothing.

A victim that names the same class for every text keeps all its accuracy under every attack. So a
comparison of victims counts only the tasks that all of them have learnt.
"""

from collections.abc import Iterable
from math import isnan
from typing import TYPE_CHECKING

from mvp_skill.metrics import wilson_interval

if TYPE_CHECKING:
    from pandas import Series

UNKNOWN = "–"


def has_learnt(clean_acc: float, n: int, constant_guess: float) -> bool:
    """Whether the lower end of the 95 % Wilson interval of clean accuracy lies above the guess.

    clean_acc        on the test split, mean over seeds
    n                test examples of one seed: seeds share them, so they do not add up
    constant_guess   accuracy of always naming the commonest class of that test split
    raises           BadInput for no examples, or an accuracy outside [0, 1]
    """
    low, _ = wilson_interval(round(clean_acc * n), n)
    return low > constant_guess


def learnt(
    clean_acc: Iterable[float], n: Iterable[float], constant_guess: Iterable[float]
) -> "Series":
    """`has_learnt` of each of several victims, [victim]; <NA> where one of the three is NaN."""
    import pandas

    numbers = zip(clean_acc, n, constant_guess, strict=True)
    found = [
        pandas.NA if any(map(isnan, given)) else has_learnt(given[0], int(given[1]), given[2])
        for given in numbers
    ]
    return pandas.Series(found, dtype="boolean")


def in_words(found: "Series") -> "Series":
    """What `learnt` gives, for a table: yes, no, or a dash."""
    return found.astype(object).map({True: "yes", False: "no"}).fillna(UNKNOWN)
