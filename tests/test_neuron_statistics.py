"""Comparing rankings of neurons: against SciPy, scikit-learn and plain counting."""

import numpy as np
import pytest
import torch
from neuron_cases import counted, random_fired
from sklearn.metrics import roc_auc_score

from mvp_skill.errors import BadInput
from mvp_skill.neuron_scores import neuron_scores
from mvp_skill.neuron_statistics import (
    average_ranks,
    histogram,
    inhibitory_share,
    mean_and_sd,
    overlap,
    precision_curve,
    rank_correlations,
    rank_correlations_of_layers,
    skill_auc,
)
from mvp_skill.skill_neurons import random_neurons, skill_neurons


def some_pred(seed=0, n_layers=3, n_neurons=211, n_values=40):
    """Predictivities with ties, as numbers out of 80 examples have."""
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + torch.randint(n_values, (n_layers, n_neurons), generator=generator) / 80


def test_ranks_equal_scipys_with_ties():
    from scipy.stats import rankdata

    values = some_pred(n_values=9)
    assert np.array_equal(average_ranks(values).numpy(), rankdata(values.numpy(), axis=-1))


def test_b11_b12_b13_rank_correlations_equal_scipys_on_all_pairs():
    """Over all neurons of a layer (not positions in lists of top ones), the mean over layers (not
    products of layer and neuron numbers), and correlations (not their p-values)."""
    from scipy.stats import spearmanr

    preds = [some_pred(seed) for seed in range(4)]
    preds.append(0.7 * preds[0] + 0.3 * some_pred(9))
    found, of_layer = rank_correlations(preds), rank_correlations_of_layers(preds)
    assert found.shape == (5, 5) and of_layer.shape == (3, 5, 5)
    for i, first in enumerate(preds):
        for j, second in enumerate(preds):
            expected = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
            assert of_layer[:, i, j].tolist() == pytest.approx(expected)
            assert found[i, j].item() == pytest.approx(sum(expected) / 3)
    assert found[0, 4] > 0.7 and found[0, 1].abs() < 0.2
    assert torch.allclose(found, found.T) and torch.allclose(found.diag(), torch.ones(5).double())


def test_b11_an_order_of_neurons_of_its_own_is_not_taken_for_agreement():
    """Two tasks with different top neurons of the same predictivities, in the same order."""
    first, second = torch.full((1, 40), 0.5), torch.full((1, 40), 0.5)
    first[0, :10] = torch.linspace(0.6, 0.9, 10)
    second[0, 20:30] = torch.linspace(0.6, 0.9, 10)
    assert rank_correlations([first, second])[0, 1] < 0


def test_seeds_that_agree_are_consistent():
    """Three seeds of one ranking with a little noise, and one of another ranking."""
    truth, other = some_pred(0), some_pred(1)
    seeds = [truth + 0.1 * some_pred(seed) for seed in (5, 6, 7)] + [other]
    found = rank_correlations(seeds)
    assert found[:3, :3].min() > 0.9 and found[3, :3].abs().max() < 0.2


def test_b10_overlap_is_of_the_most_predictive():
    """Rankings that agree on the best 10 % and are opposite on the rest."""
    generator = torch.Generator().manual_seed(3)
    first = 0.5 + torch.rand(3, 200, generator=generator) / 4
    second = 1.25 - first
    best = random_neurons((3, 200), 0.1, n_draws=1)[0]
    first[best] += 0.3
    second[best] = 0.99
    found = overlap(skill_neurons(first, 0.1), skill_neurons(second, 0.1))
    assert found == (1.0, pytest.approx(0.1)) and found.ratio == pytest.approx(10)
    least = overlap(skill_neurons(1.5 - first, 0.1), skill_neurons(1.5 - second, 0.1))
    assert least.share == 0


def test_overlap_of_equal_rankings_is_one_and_of_random_ones_chance():
    fractions = [percent / 100 for percent in range(2, 31, 2)]
    same = precision_curve(some_pred(n_neurons=1000), some_pred(n_neurons=1000), fractions)
    assert all(one.share == 1 for one in same)
    shape, generator = (12, 1000), torch.Generator().manual_seed(0)
    curves = [
        precision_curve(*torch.rand(2, *shape, generator=generator), fractions) for _ in range(5)
    ]
    for place, fraction in enumerate(fractions):
        found = [curve[place] for curve in curves]
        assert found[0].chance == pytest.approx(fraction, abs=0.001)
        assert np.mean([one.ratio for one in found]) == pytest.approx(1, abs=0.25)


def test_overlap_equals_counting():
    first, second = skill_neurons(some_pred(0), 0.13), skill_neurons(some_pred(1), 0.4)
    found = overlap(first, second)
    shares = [
        len(set(np.flatnonzero(a)) & set(np.flatnonzero(b))) / a.sum().item()
        for a, b in zip(first, second, strict=True)
    ]
    assert found.share == pytest.approx(np.mean(shares)) and found.chance == pytest.approx(84 / 211)


def test_an_overlap_of_nothing_is_refused():
    none = torch.zeros(3, 211, dtype=torch.bool)
    some = skill_neurons(some_pred(), 0.1)
    assert np.isnan(overlap(some, none).ratio) and overlap(some, none).share == 0
    for first, second in [(none, some), (some, some[:2])]:
        with pytest.raises(BadInput, match="two selections"):
            overlap(first, second)


def test_the_auc_equals_scikit_learns():
    skill, pred = skill_neurons(some_pred(0), 0.1), some_pred(1)
    mixed = torch.where(skill, pred + 0.1, pred)
    for values in (pred, mixed):
        found = skill_auc(skill, values)
        expected = [roc_auc_score(a, b) for a, b in zip(skill, values, strict=True)]
        assert found.tolist() == pytest.approx(expected)
    assert skill_auc(skill, skill.float()).eq(1).all()
    assert skill_auc(skill, torch.ones(3, 211)).eq(0.5).all()
    for wrong in (torch.ones(3, 211).bool(), torch.zeros(3, 211).bool()):
        with pytest.raises(BadInput, match="AUC"):
            skill_auc(wrong, pred)


def test_b14_the_histogram_keeps_the_top_bin_and_every_neuron():
    pred = torch.tensor([[0.5, 0.55, 0.5499, 1.0], [0.95, 0.999, 0.7, 0.6]])
    found = histogram(pred)
    assert found["n_neurons"].sum() == 8 and len(found) == 10
    by_low = dict(zip(found["low"].round(2), found["n_neurons"], strict=True))
    assert by_low[0.5] == 2 and by_low[0.55] == 1 and by_low[0.95] == 3 and by_low[0.7] == 1
    assert by_low[0.6] == 1
    selected = pred > 0.9
    assert histogram(pred, selected)["n_neurons"].tolist() == [0] * 9 + [3]


def test_b14_one_convention_of_mean_and_sd():
    mean, sd, n = mean_and_sd([0.8, 0.9, 0.95, 0.7, 0.75])
    assert (mean, n) == (pytest.approx(0.82), 5)
    assert sd == pytest.approx(np.std([0.8, 0.9, 0.95, 0.7, 0.75], ddof=1))
    assert np.isnan(mean_and_sd([0.8])[1])


def test_the_inhibitory_share_is_per_layer():
    excitatory = torch.tensor([[True, False, False, True, True], [True] * 5])
    constant = torch.zeros(2, 5, dtype=torch.bool)
    assert inhibitory_share(excitatory, constant).tolist() == pytest.approx([0.4, 0])
    selected = torch.tensor([[True, True, True, False, False], [False] * 5])
    one, none = inhibitory_share(excitatory, constant, selected).tolist()
    assert one == pytest.approx(2 / 3) and np.isnan(none)


def test_b8_constant_neurons_are_neither_inhibitory_nor_excitatory():
    """With halves of equal sizes a dead and an always-on neuron have accuracy one half exactly."""
    labels = torch.arange(52) % 2
    fired = random_fired(52, n_layers=2, n_neurons=7)
    fired[:, 0, :, :2], fired[:, 0, :, 2:4] = False, True  # layer 0: two dead, two always on
    fired[:, 0, 1, 4] = labels.bool()
    fired[:, 0, 1, 5:] = ~labels.bool()[:, None]
    fired[:, 1] = False
    scores = neuron_scores(counted(fired, labels))
    assert scores.excitatory[scores.constant].all() and scores.constant.sum(dim=1).tolist() == [
        4,
        7,
    ]
    share, none = inhibitory_share(scores.excitatory, scores.constant).tolist()
    assert share == pytest.approx(2 / 3) and np.isnan(none)
    selected = torch.ones(2, 7, dtype=torch.bool)
    selected[0, 6] = False
    found = inhibitory_share(scores.excitatory, scores.constant, selected)
    assert found[0].item() == pytest.approx(1 / 2)
