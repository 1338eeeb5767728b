"""Spearman's rank correlation of a handful of points, with an exact test."""

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from mvp_skill.errors import BadInput

MOST = 9
"""Points; 9 already have 362,880 orders."""


class RankCorrelation(NamedTuple):
    """Of n points."""

    rho: float
    """In [-1, 1]; NaN if all values of one side are equal."""
    p: float
    """Share of all orders of the points with a rho that low or lower; NaN as rho."""
    n: int


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rho of any number of points, in [-1, 1]; equal values share their mean rank.

    NaN if all values of one side are equal, or there are fewer than two points.

        raises   BadInput for sides of different lengths
    """
    from pandas import Series

    if len(x) != len(y):
        raise BadInput(f"A rank correlation needs pairs, not {len(x)} and {len(y)} numbers.")
    a, b = (Series(v, dtype=float).rank().to_numpy() - (len(x) + 1) / 2 for v in (x, y))  # [point]
    length = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / length) if length > 0 else float("nan")


def falling(x: Sequence[float], y: Sequence[float]) -> RankCorrelation:
    """Does y fall as x rises? Spearman's rho, and how often chance gives one as low.

    Equal values share their mean rank. One-sided: under the null hypothesis every order of the
    y is as likely as any other.

        raises   BadInput for sides of different lengths, fewer than 3 points or more than MOST
    """
    from pandas import Series

    if len(x) != len(y) or not 3 <= len(x) <= MOST:
        raise BadInput(
            f"A rank correlation needs 3 to {MOST} pairs of numbers, not {len(x)} and {len(y)}."
        )
    a, b = (Series(v).rank().to_numpy() - (len(x) + 1) / 2 for v in (x, y))  # [point], around 0
    length = np.sqrt((a @ a) * (b @ b))
    if length == 0:
        return RankCorrelation(float("nan"), float("nan"), len(x))
    orders = np.array(list(permutations(range(len(x)))))  # [order, point]
    rhos = b[orders] @ a / length  # [order]
    rho = float(a @ b / length)
    return RankCorrelation(rho, float((rhos <= rho + 1e-9).mean()), len(x))
