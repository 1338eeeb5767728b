"""Below chance, above it, or too few to tell."""

import pytest

from mvp_skill.chance import all_below, enough_above, side
from mvp_skill.errors import BadInput

TELL, BELOW, ABOVE = "cannot tell", "below", "above"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.2, 0.49, BELOW), (0.51, 0.8, ABOVE), (0.4, 0.6, TELL), (0.3, 0.5, TELL), (0.5, 0.7, TELL)],
)
def test_only_a_whole_interval_lies_on_one_side(low, high, expected):
    assert side(low, high) == expected


def test_chance_of_three_classes_is_another():
    assert side(0.35, 0.45, chance=1 / 3) == ABOVE


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([BELOW, BELOW, BELOW], True),
        ([BELOW, BELOW, TELL], None),
        ([BELOW, TELL, ABOVE], False),
        ([TELL], None),
        ([BELOW], None),  # one is no pattern
        ([ABOVE], False),  # but enough to refute
        ([], None),
    ],
)
def test_all_are_below_only_if_each_interval_is(sides, expected):
    assert all_below(sides) is expected


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([ABOVE, ABOVE, BELOW], True),
        ([ABOVE, ABOVE, ABOVE], True),
        ([ABOVE, TELL, BELOW], None),
        ([ABOVE, BELOW, BELOW], False),
        ([TELL, BELOW, BELOW], False),
        ([ABOVE, TELL], None),  # two thirds of two are two
        ([ABOVE], None),  # one is no pattern
        ([], None),
    ],
)
def test_two_of_three_are_above(sides, expected):
    assert enough_above(sides, 2 / 3) is expected
    assert enough_above(tuple(sides), 2 / 3) is expected


def test_an_unknown_side_is_refused():
    with pytest.raises(BadInput, match=r"side of chance 'over'; use below, above, cannot tell"):
        all_below(["over"])
    with pytest.raises(BadInput, match="side of chance"):
        enough_above(["under"], 0.5)
