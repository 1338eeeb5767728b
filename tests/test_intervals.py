"""Intervals of accuracies, against the definition and against SciPy."""

from math import comb

import numpy as np
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.intervals import bootstrap_interval, exact_interval


def tail(k, n, p):
    """P(X >= k)"""
    return sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


@pytest.mark.parametrize(("k", "n"), [(3, 7), (32, 78), (74, 148), (1, 148)])
def test_the_exact_interval_ends_where_its_definition_says(k, n):
    from scipy.stats import binomtest

    low, high = exact_interval(k, n)
    assert tail(k, n, low) == pytest.approx(0.025)
    assert 1 - tail(k + 1, n, high) == pytest.approx(0.025)
    assert (low, high) == pytest.approx(tuple(binomtest(k, n).proportion_ci()))
    assert exact_interval(k, n, 0.5)[0] > low


def test_at_the_ends_it_reaches_0_and_1():
    assert exact_interval(0, 10) == (0, pytest.approx(1 - 0.025**0.1))
    assert exact_interval(10, 10) == (pytest.approx(0.025**0.1), 1)
    # What the design of paper B's tests has to live with: of 78 coin flips, 30 to 48 are right.
    assert exact_interval(31, 78)[1] > 0.5 > exact_interval(29, 78)[1]
    for k, n, confidence in [(5, 4, 0.9), (-1, 4, 0.9), (0, 0, 0.9), (1, 4, 1.0)]:
        with pytest.raises(BadInput):
            exact_interval(k, n, confidence)


def test_the_bootstrap_draws_examples_with_what_all_seeds_made_of_them():
    generator = np.random.default_rng(0)
    right = generator.random((3, 101)) < 0.7
    right[1] = right[0]
    found = bootstrap_interval(right)
    shares = right.mean(axis=0)
    drawn = [shares[generator.integers(0, 101, 101)].mean() for _ in range(4000)]
    assert found == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)
    assert bootstrap_interval(right) == found and bootstrap_interval(right, seed=1) != found
    assert bootstrap_interval(right[0]) == bootstrap_interval(right[:1])
    narrow = bootstrap_interval(right, confidence=0.5)
    assert found[0] < narrow[0] < shares.mean() < narrow[1] < found[1]
    assert bootstrap_interval(np.ones((2, 5))) == (1, 1)
    with pytest.raises(BadInput, match="at least one"):
        bootstrap_interval(np.ones((2, 0)))
