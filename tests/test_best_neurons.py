"""The best neuron of one half, seen on the other: against plain loops, with planted neurons."""

import pandas
import pytest
import torch

from mvp_skill.best_neurons import best_neuron, could_show, exist, how_many, top_mean


def halves(seed=0, n_layers=3, n_neurons=37, n_permutations=19):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return 0.5 + torch.rand(*shape, generator=generator) / 5

    return [draw(n_layers, n_neurons), draw(n_layers, n_neurons)] + [
        draw(n_permutations, n_layers, n_neurons)
    ]


def test_a_planted_neuron_is_found_and_lies_above_every_permutation():
    ranking, measuring, null = halves()
    ranking[1, 20], measuring[1, 20] = 0.95, 0.9
    found = best_neuron(ranking, measuring, null)
    assert (found.layer, found.neuron) == (1, 20)
    assert (found.ranked, found.measured) == (pytest.approx(0.95), pytest.approx(0.9))
    assert found.null_max == null.max().item()
    assert found.p == pytest.approx(1 / 20)


def test_b6_the_best_of_one_half_is_not_the_best_of_the_other():
    """Without signal the choice flatters on the half it was made on, and only there."""
    chosen, other = zip(
        *[(found.ranked, found.measured) for s in range(40) for found in [best_neuron(*halves(s))]],
        strict=True,
    )
    assert min(chosen) > 0.68
    assert 0.57 < sum(other) / 40 < 0.63  # the mean of all is 0.6


def test_p_counts_the_permutations_in_which_any_neuron_is_as_good():
    ranking, measuring, null = halves(3, n_permutations=7)
    ranking[0, 5] = 0.99
    expected = 1
    for permutation in null:
        expected += any(v >= measuring[0, 5] for v in permutation.flatten().tolist())
    assert best_neuron(ranking, measuring, null).p == pytest.approx(expected / 8)


@pytest.mark.parametrize("fraction", [0.001, 0.02, 0.3])
def test_the_mean_of_the_top_is_that_of_the_same_neurons_on_the_other_half(fraction):
    ranking, measuring, null = halves(1)
    k = max(1, int(fraction * 111))
    order = sorted(range(111), key=lambda i: -ranking.flatten()[i].item())[:k]
    found = top_mean(ranking, measuring, null, fraction)
    assert found.mean == pytest.approx(measuring.flatten()[order].mean().item())
    means = [permutation.flatten()[order].mean().item() for permutation in null]
    assert found.null_max == pytest.approx(max(means))


def rows(**columns):
    usual = {"learnt": [True, True], "acc": [0.9, 0.8], "null_max": [0.6, 0.6]}
    return pandas.DataFrame(usual | {"measured": [0.85, 0.7]} | columns)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, True),
        ({"measured": [0.85, 0.6]}, False),  # as good as chance is not better
        ({"measured": [0.85, 0.5], "learnt": [True, False]}, True),
        ({"measured": [0.85, 0.5], "learnt": [True, pandas.NA]}, True),
        ({"measured": [0.85, 0.5], "acc": [0.9, 0.55]}, True),  # nothing could have shown there
        ({"learnt": [False, False]}, None),
    ],
)
def test_the_verdict_is_over_tasks_where_a_skill_neuron_could_show(changes, verdict):
    assert exist(rows(**changes), n_permutations=19) is verdict


def test_too_few_permutations_leave_it_open():
    assert exist(rows(), n_permutations=18) is None
    assert len(could_show(rows(learnt=[True, False]))) == 1


def test_tasks_above_chance_are_counted_among_those_that_count():
    assert how_many(rows()) == "2 of 2 tasks that count"
    assert how_many(rows(measured=[0.85, 0.6])) == "1 of 2 tasks that count"
    assert how_many(rows(measured=[0.85, 0.9], learnt=[False, True])) == "1 of 1 tasks that count"
    assert how_many(rows(learnt=[False, pandas.NA])) == "0 of 0 tasks that count"
