"""Learning curves: sizes, and a training that is as long whatever the size."""

import pytest

from mvp_skill.conditions import Condition
from mvp_skill.errors import BadInput
from mvp_skill.learning_curves import MOST_EPOCHS, at_size, enough, epochs_for, sizes_of


def test_sizes_come_as_text_and_numbers_and_are_put_in_order():
    assert sizes_of("100, 25,50") == (25, 50, 100) == sizes_of([50, 25, 100, 25])


@pytest.mark.parametrize("given", ["25", "25, 0", "25, many", "", (7, -3), None, "0.5, 1"])
def test_other_sizes_are_refused(given):
    with pytest.raises(BadInput, match="SIZES must be"):
        sizes_of(given)


@pytest.mark.parametrize("size", [200, 134, 61, 400])
def test_a_smaller_size_is_read_more_often_and_about_as_many_examples_are_seen(size):
    seen = size * epochs_for(size, full=400, epochs=3)
    assert 400 * 3 <= seen < (400 + size) * 3


def test_passes_have_an_upper_end_but_are_never_fewer_than_at_full_size():
    assert epochs_for(10, full=400, epochs=3) == MOST_EPOCHS == 20
    assert epochs_for(800, full=400, epochs=3) == 3 and epochs_for(10, 400, epochs=50) == 50


def test_the_full_size_is_the_condition_itself():
    condition = Condition("mini_films", "mvp", seed=1)
    assert at_size(condition, 400, full=400, epochs=3) == condition
    small = at_size(condition, 100, full=400, epochs=3)
    assert (small.n_train, small.epochs, small.seed, small.victim) == (100, 12, 1, "mvp")


def test_enough_examples_are_those_after_which_it_stays_good():
    accuracies = {25: 0.9, 50: 0.7, 100: 0.85, 200: 0.8}
    assert enough(accuracies, 0.8) == 100 and enough(accuracies, 0.6) == 25
    assert enough(accuracies, 0.95) is None and enough({}, 0.5) is None
