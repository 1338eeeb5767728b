"""Effective robustness: is a victim more robust than its clean accuracy alone would make it?

    gap = effective_gap(mvp_points, mlp_ft_points)
    gap.low > 0        # above the reference's curve by more than chance in the choice of examples

A victim that has more examples right has more to keep under attack. So the points of a reference,
trained on more and more data, are fitted by a line of robust against clean accuracy, both as log
odds, and another victim's points are compared with the line at their own clean accuracy.

Source: Taori et al. 2020 (the fit on a stretched scale, and the residual "accuracy - fit");
Raman et al. 2023 plot robust against clean accuracy over training sizes.
"""

from typing import NamedTuple

import numpy as np

from mvp_skill.errors import BadInput
from mvp_skill.gains import N_DRAWS


class Line(NamedTuple):
    """Log odds of robust accuracy = intercept + slope * log odds of clean accuracy."""

    intercept: float | np.ndarray
    """One number, or one per draw, [draw, 1]."""
    slope: float | np.ndarray

    def at(self, x: float | np.ndarray) -> float | np.ndarray:
        """Its height over x; both are log odds."""
        return self.intercept + self.slope * x


class Points(NamedTuple):
    """What the victims of one method have right: a point per training size and seed."""

    clean: np.ndarray
    """Right or not without an attack, [point, test example]."""
    robust: np.ndarray
    """Right or not under attack, [point, attacked example]; these are the first test examples."""


class Gap(NamedTuple):
    """Mean vertical distance from the reference's line, a difference of accuracies in [-1, 1]."""

    mean: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    n_points: int
    """Points it is the mean of: those whose clean accuracy the reference reaches, too."""
    n: int
    """Attacked examples."""


def log_odds(share: float | np.ndarray, n: int) -> float | np.ndarray:
    """log((k + 1/2) / (n - k + 1/2)) for k = share * n of n: finite even for 0 and n of n."""
    right = np.asarray(share) * n
    return np.log((right + 0.5) / (n - right + 0.5))


def share_of(odds: float | np.ndarray, n: int) -> float | np.ndarray:
    """The share of n that has these log odds: the inverse of `log_odds`, kept within [0, 1]."""
    right = (n + 1) / (1 + np.exp(-np.asarray(odds))) - 0.5
    return np.clip(right / n, 0, 1)


def fit_line(x: np.ndarray, y: np.ndarray) -> Line:
    """The least-squares line through points; flat if all x are alike.

    x, y      [..., point]; the leading axes, as of bootstrap draws, are fitted one by one
    returns   intercept and slope, [..., 1]
    raises    BadInput for fewer than two points
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape[-1] < 2 or x.shape != y.shape:
        raise BadInput("A line needs two points or more; give more training sizes or seeds.")
    across = x - x.mean(axis=-1, keepdims=True)
    spread = (across**2).sum(axis=-1, keepdims=True)
    product = (across * y).sum(axis=-1, keepdims=True)
    slope = np.divide(product, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    return Line(y.mean(axis=-1, keepdims=True) - slope * x.mean(axis=-1, keepdims=True), slope)


def comparable(clean: np.ndarray, reference_clean: np.ndarray) -> np.ndarray:
    """Which points have a clean accuracy between the reference's lowest and highest, [point].

    Elsewhere the line is a guess, and there is nothing to compare with.
    """
    return (clean >= np.min(reference_clean)) & (clean <= np.max(reference_clean))


def vertical_gaps(
    clean: np.ndarray,
    robust: np.ndarray,
    line: Line,
    n_clean: int,
    n_robust: int,
) -> np.ndarray:
    """Robust accuracy minus what the line says for that clean accuracy, [..., point].

    n_clean, n_robust   examples that the accuracies are shares of
    """
    return robust - share_of(line.at(log_odds(clean, n_clean)), n_robust)


def effective_gap(points: Points, reference: Points, seed: int = 0) -> Gap | None:
    """Mean vertical gap of the comparable points; None if no clean accuracies overlap.

    The interval is the percentile bootstrap's: attacked examples are drawn anew, and so are the
    other test examples, each with what all victims made of it; line and gaps are computed again.
    It does not say how much other seeds would change.

        raises   BadInput if the two were not measured on the same numbers of examples
    """
    if [a.shape[1:] for a in points] != [b.shape[1:] for b in reference]:
        raise BadInput("Points and reference must be measured on the same examples.")
    inside = comparable(points.clean.mean(axis=1), reference.clean.mean(axis=1))  # [point]
    n, n_clean = points.robust.shape[1], points.clean.shape[1]
    if not inside.any():
        return None
    chosen = Points(points.clean[inside], points.robust[inside])
    once = np.ones((1, n)), np.ones((1, n_clean - n))
    mean = _mean_gaps(chosen, reference, *once)[0]
    generator = np.random.default_rng(seed)
    drawn = [_counts(size, generator) for size in (n, n_clean - n)]  # [draw, example] each
    low, high = np.quantile(_mean_gaps(chosen, reference, *drawn), [0.025, 0.975])
    return Gap(float(mean), float(low), float(high), int(inside.sum()), n)


def _counts(n: int, generator: np.random.Generator) -> np.ndarray:
    """How often each of n examples is drawn, [draw, example]."""
    if not n:
        return np.zeros((N_DRAWS, 0))
    return generator.multinomial(n, np.full(n, 1 / n), size=N_DRAWS)


def _mean_gaps(
    points: Points, reference: Points, attacked: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """The mean gap in each draw, [draw]; examples count as often as they were drawn."""
    n, n_clean = attacked.shape[1], attacked.shape[1] + others.shape[1]
    (x, y), (clean, robust) = (_accuracies(p, attacked, others) for p in (reference, points))
    line = fit_line(log_odds(x, n_clean), log_odds(y, n))  # [draw, 1]
    return vertical_gaps(clean, robust, line, n_clean, n).mean(axis=-1)


def _accuracies(
    points: Points, attacked: np.ndarray, others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Clean and robust accuracy of each point in each draw, [draw, point]."""
    n = attacked.shape[1]
    right = attacked @ points.clean[:, :n].T + others @ points.clean[:, n:].T
    return right / points.clean.shape[1], attacked @ points.robust.T / n
