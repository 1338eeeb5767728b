"""Who has learnt a task: planted values, and a victim that only guesses."""

from math import nan, nextafter, sqrt

import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.learnt import has_learnt, in_words, learnt
from mvp_skill.metrics import wilson_interval

Z = 1.959963984540054


def slow_has_learnt(right: list[bool], constant_guess: float) -> bool:
    """Wilson's interval holds the shares from which the found one is at most Z errors away."""
    n, share = len(right), sum(right) / len(right)
    error = sqrt(constant_guess * (1 - constant_guess) / n)
    return share > constant_guess and (share - constant_guess) > Z * error


@pytest.mark.parametrize("n", [7, 23, 101, 299])
@pytest.mark.parametrize("guess", [0.25, 0.37, 0.5, 0.81])
def test_learnt_is_what_the_slow_reference_says_for_every_count(n, guess):
    found = [has_learnt(k / n, n, guess) for k in range(n + 1)]
    assert found == [slow_has_learnt([True] * k + [False] * (n - k), guess) for k in range(n + 1)]
    assert found == sorted(found) and not found[0]  # from some count on


@pytest.mark.parametrize(
    ("clean_acc", "n", "guess", "expected"),
    [
        (0.95, 299, 0.51, True),
        (0.55, 299, 0.51, False),  # above the guess, but so would chance be now and then
        (0.55, 2999, 0.51, True),
        (0.51, 299, 0.51, False),  # the constant guess itself
        (1.0, 3, 0.5, False),  # three examples
        (0.81, 299, 0.81, False),  # MRPC is no balanced task: 0.81 may be the commonest class
    ],
)
def test_planted_accuracies(clean_acc, n, guess, expected):
    assert has_learnt(clean_acc, n, guess) is expected


def test_an_end_exactly_at_the_guess_is_not_above_it():
    low, _ = wilson_interval(61, 83)
    assert not has_learnt(61 / 83, 83, low)
    assert has_learnt(61 / 83, 83, nextafter(low, 0))


def test_seeds_share_their_examples_so_n_is_that_of_one_seed():
    assert not has_learnt(0.6, 61, 0.5) and has_learnt(0.6, 3 * 61, 0.5)


def test_no_examples_are_refused():
    with pytest.raises(BadInput, match="n >= 1"):
        has_learnt(0.5, 0, 0.5)


def test_several_victims_and_what_is_not_known():
    found = learnt([0.9, 0.5, nan, 0.9, 0.9], [99, 99, 99, nan, 99], [0.5, 0.5, 0.5, 0.5, nan])
    assert found.dtype == "boolean"
    assert found[:2].tolist() == [True, False] and found[2:].isna().all()
    assert in_words(found).tolist() == ["yes", "no", "–", "–", "–"]
    assert in_words(pandas.Series([], dtype="boolean")).empty
