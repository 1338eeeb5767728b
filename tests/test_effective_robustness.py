"""Effective robustness: the line, its inverse, the gap and where there is none."""

import math

import numpy as np
import pytest

from mvp_skill.effective_robustness import (
    Line,
    Points,
    comparable,
    effective_gap,
    fit_line,
    log_odds,
    share_of,
    vertical_gaps,
)
from mvp_skill.errors import BadInput


def test_log_odds_by_hand_and_back():
    assert log_odds(3 / 7, 7) == pytest.approx(math.log(3.5 / 4.5))
    assert log_odds(1.0, 30) == pytest.approx(math.log(61)) and math.isfinite(log_odds(0.0, 30))
    shares = np.arange(12) / 11
    assert share_of(log_odds(shares, 11), 11) == pytest.approx(shares, abs=1e-12)
    assert share_of(99.0, 5) == 1 and share_of(-99.0, 5) == 0


def test_the_line_through_two_points_goes_through_them():
    line = fit_line([1.0, 3.0], [5.0, 1.0])
    assert (line.intercept.item(), line.slope.item()) == pytest.approx((7.0, -2.0))
    assert line.at(2.0).item() == pytest.approx(3.0)


def test_lines_of_many_draws_are_those_of_a_solver_one_by_one():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 5, 7))  # [draw, point]
    found = fit_line(x, y)
    assert found.slope.shape == (5, 1)
    for draw in range(5):
        slope, intercept = np.polyfit(x[draw], y[draw], 1)
        assert found.slope[draw, 0] == pytest.approx(slope)
        assert found.intercept[draw, 0] == pytest.approx(intercept)


def test_points_above_each_other_get_a_flat_line_and_one_point_gets_none():
    line = fit_line([2.0, 2.0, 2.0], [1.0, 2.0, 6.0])
    assert (line.intercept.item(), line.slope.item()) == (3.0, 0.0)
    with pytest.raises(BadInput, match="two points"):
        fit_line([1.0], [1.0])


def test_only_points_within_the_baselines_range_are_comparable():
    found = comparable(np.array([0.5, 0.6, 0.8, 0.9, 0.91]), np.array([0.9, 0.6, 0.7]))
    assert found.tolist() == [False, True, True, True, False]


def test_the_gap_is_what_was_planted_above_the_line():
    line, n_clean, n = Line(0.5, 1.5), 400, 30
    clean = np.array([0.6, 0.75, 0.9])
    on_it = share_of(line.at(log_odds(clean, n_clean)), n)
    assert vertical_gaps(clean, on_it, line, n_clean, n) == pytest.approx([0, 0, 0], abs=1e-12)
    above = vertical_gaps(clean, on_it + [0.02, 0, -0.1], line, n_clean, n)
    assert above == pytest.approx([0.02, 0, -0.1])


def rows(n_right: list[int], n: int) -> np.ndarray:
    """Each point has its first examples right, [point, example]."""
    return np.stack([np.arange(n) < right for right in n_right])


def slow_gap(points: Points, reference: Points) -> float:
    """The mean gap, one number at a time, the line by numpy's solver."""

    def odds(row):
        return math.log((sum(row) + 0.5) / (len(row) - sum(row) + 0.5))

    xs, ys = ([odds(list(row)) for row in part] for part in reference)
    slope, intercept = np.polyfit(xs, ys, 1)
    shares = [sum(row) / len(row) for row in reference.clean]
    found = []
    for clean, robust in zip(points.clean, points.robust, strict=True):
        if min(shares) <= sum(clean) / len(clean) <= max(shares):
            chance = 1 / (1 + math.exp(-(intercept + slope * odds(list(clean)))))
            said = ((len(robust) + 1) * chance - 0.5) / len(robust)
            found.append(sum(robust) / len(robust) - min(1, max(0, said)))
    return sum(found) / len(found)


BASELINE = Points(rows([20, 29, 37], 41), rows([3, 6, 8], 13))


def test_the_mean_is_that_of_the_slow_reference():
    points = Points(rows([25, 30, 40], 41), rows([10, 11, 13], 13))  # the last is out of range
    found = effective_gap(points, BASELINE)
    assert found.mean == pytest.approx(slow_gap(points, BASELINE), abs=1e-12)
    assert found.n_points == 2 and found.n == 13 and found.low <= found.mean <= found.high


def test_the_baseline_has_no_gap_to_a_line_through_two_of_its_points():
    two = Points(BASELINE.clean[:2], BASELINE.robust[:2])
    assert effective_gap(two, two).mean == pytest.approx(0, abs=1e-12)


def test_without_overlap_there_is_no_gap():
    assert effective_gap(Points(rows([38, 41], 41), rows([9, 9], 13)), BASELINE) is None


def test_all_test_examples_may_be_attacked():
    all_of_them = Points(rows([5, 9], 13), rows([3, 8], 13))
    assert effective_gap(all_of_them, all_of_them).n == 13


def test_other_examples_are_refused():
    with pytest.raises(BadInput, match="same examples"):
        effective_gap(Points(rows([5], 40), rows([3], 13)), BASELINE)


def test_the_interval_covers_the_planted_gap_about_as_often_as_it_says():
    """300 worlds: a reference on a line, and points 0.2 above it in robust accuracy."""
    generator, covered = np.random.default_rng(0), 0
    clean, n_clean, n = np.array([0.6, 0.7, 0.8, 0.9]), 300, 60
    robust = 1 / (1 + np.exp(1.2 - np.log(clean / (1 - clean))))
    for _ in range(300):
        latent = generator.random(n_clean)  # examples are hard or easy for all victims alike
        noise = generator.random((8, n))
        reference = Points(latent < clean[:, None], noise[:4] < robust[:, None])
        better = Points(latent < clean[1:3, None], noise[4:6] < robust[1:3, None] + 0.2)
        found = effective_gap(better, reference, seed=1)
        covered += found.low <= 0.2 <= found.high
    assert 0.9 <= covered / 300 <= 0.99
