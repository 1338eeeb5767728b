"""Paired gains and their intervals."""

import numpy as np
import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.gains import Gain, above_zero, above_zero_if, in_points, paired_gain, right


def log(outcomes: str, first_text: str = "a") -> pandas.DataFrame:
    named = {"f": "failed", "s": "succeeded", "k": "skipped", "e": "error"}
    texts = [[first_text + str(i)] for i in range(len(outcomes))]
    return pandas.DataFrame({"outcome": [named[o] for o in outcomes], "texts": texts})


def test_right_is_what_an_attack_failed_on():
    found = right([log("fsk"), log("ffs")])  # [seed, example]
    assert found.tolist() == [[True, False, False], [True, True, False]]


def test_right_refuses_other_examples_and_errors():
    with pytest.raises(BadInput, match="same examples"):
        right([log("fs"), log("fs", "b")])
    with pytest.raises(BadInput, match="raised"):
        right([log("fe")])


def slow_gain(pairs) -> float:
    """The mean, one number at a time."""
    settings = []
    for a, b in pairs:
        n = a.shape[1]
        per_example = []
        for example in range(n):
            mean_a = sum(bool(row[example]) for row in a) / len(a)
            mean_b = sum(bool(row[example]) for row in b) / len(b)
            per_example.append(mean_a - mean_b)
        settings.append(sum(per_example) / n)
    return sum(settings) / len(settings)


@pytest.mark.parametrize("shapes", [[(1, 7)], [(3, 11), (2, 5)], [(2, 1)]])
def test_the_mean_is_that_of_the_slow_reference(shapes):
    generator = np.random.default_rng(5)
    pairs = [(generator.random(s) < 0.7, generator.random(s) < 0.4) for s in shapes]
    found = paired_gain(pairs)
    assert found.mean == pytest.approx(slow_gain(pairs), abs=1e-12)
    assert found.low <= found.mean <= found.high
    assert found.n == sum(n for _, n in shapes)
    assert found.n_seeds == min(seeds for seeds, _ in shapes)


def test_settings_count_alike_whatever_their_size():
    many, few = np.ones((1, 90), bool), np.ones((1, 10), bool)
    assert paired_gain([(many, ~many), (few, few)]).mean == pytest.approx(0.5)


def test_the_interval_covers_the_planted_gain_about_as_often_as_it_says():
    """400 worlds with a true gain of 0.2: 95 % of the intervals should hold it."""
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        b = generator.random((1, 60)) < 0.5
        better = generator.random((1, 60)) < 0.4
        a = b | better  # half of the wrong ones times 0.4: a gain of 0.2
        low, high = paired_gain([(a, b)])[1:3]
        covered += low <= 0.2 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_seeds_that_share_examples_do_not_make_the_interval_shorter():
    generator = np.random.default_rng(1)
    a, b = generator.random((1, 40)) < 0.8, generator.random((1, 40)) < 0.5
    once, thrice = paired_gain([(a, b)]), paired_gain([(np.repeat(a, 3, 0), np.repeat(b, 3, 0))])
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_no_settings_or_other_examples_are_refused():
    for pairs in ([], [(np.ones((1, 3), bool), np.ones((1, 4), bool))]):
        with pytest.raises(BadInput, match="same examples"):
            paired_gain(pairs)


def test_a_gain_is_told_in_points():
    assert in_points(Gain(0.0333, -0.0166, 0.0834, 60, 2)) == "+3.3 (-1.7 to +8.3)"
    assert in_points(None) == "–"


def gain(low, high, n):
    return Gain((low + high) / 2, low, high, n, 1)


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([gain(0.001, 0.2, 25)], True),
        ([gain(0.0, 0.12, 25)], None),  # one text of 25 turned: too few to tell
        ([gain(0.0, 0.0, 25)], None),  # none did: a share of 3 / 25 still might
        ([gain(0.0, 0.0, 150)], False),
        ([gain(-0.02, 0.029, 1000)], False),
        ([gain(-0.02, 0.031, 1000)], None),
        ([gain(-0.2, -0.04, 25)], False),
        ([gain(-0.2, 0.0, 25)], None),
        ([gain(0.1, 0.2, 25), gain(0.05, 0.2, 25)], True),
        ([gain(0.1, 0.2, 25), gain(-0.05, 0.2, 25)], None),
        ([gain(0.1, 0.2, 25), gain(-0.2, -0.05, 25), gain(-0.1, 0.1, 25)], False),
        ([gain(0.1, 0.2, 25), None], None),
        ([], None),
    ],
)
def test_there_is_a_gain_or_none_or_too_few_examples_to_tell(gains, expected):
    assert above_zero(*gains) is expected


@pytest.mark.parametrize("possible", [gain(0.0, 0.004, 229), gain(-0.1, 0.2, 25), None])
def test_what_could_not_be_seen_is_left_open(possible):
    for found in (gain(0.01, 0.2, 25), gain(0.0, 0.005, 229), gain(-0.2, -0.04, 25), None):
        assert above_zero_if(possible, found) is None


def test_what_could_be_seen_is_judged():
    possible = gain(0.3, 0.5, 229)
    for found in (gain(0.01, 0.2, 25), gain(0.0, 0.005, 229), gain(0.0, 0.12, 25), None):
        assert above_zero_if(possible, found) is above_zero(found)
