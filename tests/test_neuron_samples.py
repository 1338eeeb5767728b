"""Many samples in one pass: exactly what scoring each sample by itself gives."""

import pytest
import torch
from neuron_cases import SmallModel, planted_model, planted_split, some_split

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import baseline_activation, count_firings
from mvp_skill.neuron_samples import sample_predictivities, sampled_numbers
from mvp_skill.neurons import neuron_accuracy, predictivity
from mvp_skill.subsamples import samples_like


def like(n_zero, n_one):
    labels = torch.tensor([0] * n_zero + [1] * n_one)
    return some_split(n_zero + n_one, labels=labels, seed=9)


def test_each_sample_is_scored_as_by_itself():
    model, split = SmallModel(), some_split(41)
    usual = baseline_activation(model, some_split(30, seed=5).records)
    found = sample_predictivities(model, split, like(4, 7), usual, n_draws=6, seed=3)
    for pred, sample in zip(found, samples_like(like(4, 7), split, 6, seed=3), strict=True):
        counts = count_firings(model, sample, usual, n_permutations=0)
        assert counts.n.tolist() == [4, 7]
        assert torch.equal(pred, predictivity(neuron_accuracy(counts)).amax(dim=1))


def test_the_numbers_of_a_sample_are_those_of_its_rows():
    split = some_split(41)
    chosen = sampled_numbers(split, like(4, 7), n_draws=3)
    for row, sample in zip(chosen, samples_like(like(4, 7), split, 3), strict=True):
        rows = [split.records[i].ids.tobytes() for i in row.nonzero()[:, 0].tolist()]
        assert rows == [record.ids.tobytes() for record in sample.records]
        assert torch.equal(split.labels[row], sample.labels)


def test_b9_few_examples_flatter_neurons_without_signal():
    """Of 11 examples the best of five positions looks better than of 35."""
    model, split = SmallModel(), some_split(71)
    usual = baseline_activation(model, some_split(30, seed=5).records)
    few = sample_predictivities(model, split, like(5, 6), usual)
    many = sample_predictivities(model, split, like(17, 18), usual)
    assert few.mean() > many.mean() + 0.05


def test_a_planted_neuron_is_seen_in_every_sample():
    model, split = planted_model(layer=1, neuron=4), planted_split()
    usual = baseline_activation(model, planted_split(30, seed=5).records)
    found = sample_predictivities(model, split, like(9, 8), usual)
    assert (found[:, 1, 4] > 0.7).all()


def test_more_than_there_is_and_one_class_only_are_refused():
    model, split = SmallModel(), some_split(11)
    usual = baseline_activation(model, split.records)
    with pytest.raises(BadInput, match="larger"):
        sample_predictivities(model, split, like(20, 20), usual)
    three = some_split(30, n_classes=3)
    with pytest.raises(BadInput, match="two classes"):
        sample_predictivities(model, three, like(2, 2), usual)
    everywhere = baseline_activation(model, split.records, positions="all")
    with pytest.raises(BadInput, match="Samples are read at the prompt's positions"):
        sample_predictivities(model, split, like(2, 2), everywhere)
