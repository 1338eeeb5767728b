"""Spearman's rho against pandas', its exact test against counting."""

import math
from itertools import permutations

import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.rank_correlation import falling


def spearman(x, y) -> float:
    return pandas.DataFrame({"x": x, "y": y}).corr("spearman").loc["x", "y"]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([16770, 16512, 258, 0, 0, 0], [0.8, 0.9, 0.85, 0.9, 0.95, 0.7]),
        ([5, 1, 3, 2], [1, 2, 3, 4]),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
    ],
)
def test_it_equals_pandas_and_a_count_of_all_orders(x, y):
    found = falling(x, y)
    assert found.rho == pytest.approx(spearman(x, y))
    as_low = [spearman(x, order) <= found.rho + 1e-9 for order in permutations(y)]
    assert found.p == pytest.approx(sum(as_low) / len(as_low)) and found.n == len(x)


def test_a_perfect_fall_is_as_rare_as_its_order():
    assert falling([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx((-1, 1 / 24, 4))
    assert falling([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx((1, 1, 4))


def test_equal_values_have_no_correlation():
    assert all(math.isnan(number) for number in falling([1, 2, 3], [7, 7, 7])[:2])


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 2, 3], [1, 2]), ([1] * 10, [2] * 10)])
def test_too_few_or_unpaired_points_are_refused(x, y):
    with pytest.raises(BadInput, match="3 to 9"):
        falling(x, y)
