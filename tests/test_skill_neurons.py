"""Selections of neurons: their number, their order, their draws."""

import math

import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.skill_neurons import (
    n_selected,
    random_like,
    random_neurons,
    skill_neurons,
    skill_neurons_of_subtasks,
)

RATES = (0, 1, 3, 5, 7, 9, 11, 13, 15)


def some_pred(n_layers=3, n_neurons=211, seed=0, n_values=40):
    """Predictivities with many ties."""
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + torch.randint(n_values, (n_layers, n_neurons), generator=generator) / 100


def test_p11_the_number_per_layer_is_rounded_down_as_in_the_paper():
    assert [n_selected(3072, rate / 100) for rate in RATES] == [
        *(0, 30, 92, 153, 215, 276, 337, 399, 460)
    ]
    for n in (100, 211, 512, 3072):
        for percent in range(101):
            assert n_selected(n, percent / 100) == n * percent // 100
    assert n_selected(100, 0.29) == 29  # 100 * 0.29 is 28.999999999999996
    for wrong in (-0.01, 1.5, "0.1", None):
        with pytest.raises(BadInput, match="from 0 to 1"):
            n_selected(100, wrong)


def test_skill_neurons_are_the_top_of_each_layer_and_the_lower_number_wins_ties():
    pred = some_pred()
    for rate in RATES:
        found = skill_neurons(pred, rate / 100)
        for layer in range(3):
            order = sorted(range(211), key=lambda n: (-pred[layer, n].item(), n))
            assert found[layer].nonzero()[:, 0].tolist() == sorted(order[: 211 * rate // 100])
    assert skill_neurons(pred, 1.0).all() and not skill_neurons(pred, 0).any()


def test_skill_neurons_of_the_whole_model():
    pred = some_pred()
    found = skill_neurons(pred, 0.07, per="model")
    places = [(layer, neuron) for layer in range(3) for neuron in range(211)]
    best = sorted(places, key=lambda place: (-pred[place].item(), place))[: math.floor(633 * 0.07)]
    assert sorted(map(tuple, found.nonzero().tolist())) == sorted(best)


@pytest.mark.parametrize("per", ["layer", "model"])
def test_skill_neurons_are_nested_across_rates(per):
    sets = [skill_neurons(some_pred(), rate / 100, per) for rate in RATES]
    for smaller, larger in zip(sets, sets[1:], strict=False):
        assert (smaller & larger).equal(smaller) and larger.sum() > smaller.sum()


def test_b15_random_neurons_are_seeded_several_and_without_replacement():
    found = random_neurons((3, 211), 0.07, n_draws=5, seed=2)
    assert found.shape == (5, 3, 211) and (found.sum(dim=2) == 14).all()
    assert found.equal(random_neurons((3, 211), 0.07, n_draws=5, seed=2))
    assert found[:2].equal(random_neurons((3, 211), 0.07, n_draws=2, seed=2))
    assert len({tuple(draw.flatten().tolist()) for draw in found}) == 5
    assert not found.equal(random_neurons((3, 211), 0.07, n_draws=5, seed=3))
    drawn = random_neurons((3, 211), 0.07, n_draws=400, seed=0).double().mean(dim=0)
    assert (drawn - 14 / 211).abs().max() < 0.07  # 5 standard deviations


def test_random_neurons_are_nested_across_rates():
    sets = [random_neurons((3, 211), rate / 100, seed=1) for rate in RATES]
    for smaller, larger in zip(sets, sets[1:], strict=False):
        assert (smaller & larger).equal(smaller)


def test_excluded_neurons_are_never_drawn():
    skill = skill_neurons(some_pred(), 0.15)
    found = random_neurons((3, 211), 0.15, n_draws=100, seed=0, exclude=skill)
    assert not (found & skill).any() and (found.sum(dim=2) == 31).all()
    assert (found.any(dim=0) == ~skill).all()
    with pytest.raises(BadInput, match="cannot be drawn"):
        random_neurons((3, 211), 0.5, exclude=skill_neurons(some_pred(), 0.6))
    with pytest.raises(BadInput, match="excluded"):
        random_neurons((3, 211), 0.5, exclude=skill[:2])


def test_random_neurons_like_a_selection_have_its_number_in_each_layer():
    selected = skill_neurons(some_pred(), 0.07, per="model")
    found = random_like(selected, n_draws=4, seed=0, exclude=selected)
    assert (found.sum(dim=2) == selected.sum(dim=1)).all() and not (found & selected).any()
    uniform = skill_neurons(some_pred(), 0.07)
    assert random_like(uniform, seed=3).equal(random_neurons((3, 211), 0.07, seed=3))


def fill_up(preds, k):
    """Subtask by subtask, one neuron at a time, for one layer."""
    chosen = []
    for number, pred in enumerate(preds):
        share = (k + number) // len(preds)
        for neuron in sorted(range(len(pred)), key=lambda n: (-pred[n], n)):
            if share and neuron not in chosen:
                chosen.append(neuron)
                share -= 1
    return sorted(chosen)


@pytest.mark.parametrize("n_subtasks", [1, 2, 3, 5])
def test_neurons_of_subtasks_fill_up_without_counting_twice(n_subtasks):
    preds = [some_pred(seed=seed, n_values=25) for seed in range(n_subtasks)]
    before = torch.zeros(3, 211, dtype=torch.bool)
    for percent in range(0, 101, 3):
        found = skill_neurons_of_subtasks(preds, percent / 100)
        k = 211 * percent // 100
        for layer in range(3):
            expected = fill_up([pred[layer].tolist() for pred in preds], k)
            assert found[layer].nonzero()[:, 0].tolist() == expected and len(expected) == k
        assert (before & found).equal(before)
        before = found


def test_of_one_subtask_the_neurons_are_its_skill_neurons():
    assert skill_neurons_of_subtasks([some_pred()], 0.07).equal(skill_neurons(some_pred(), 0.07))
    with pytest.raises(BadInput, match="at least one"):
        skill_neurons_of_subtasks([], 0.07)


def test_bad_rankings_are_refused():
    pred = some_pred()
    with pytest.raises(BadInput, match="layer, model"):
        skill_neurons(pred, 0.1, per="task")
    pred[1, 1] = float("nan")
    with pytest.raises(BadInput, match="NaN"):
        skill_neurons(pred, 0.1)
