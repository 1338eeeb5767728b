"""Halves and samples: who is in them, and that nobody is in both halves."""

import pytest
import torch
from neuron_cases import some_split

from mvp_skill.errors import BadInput
from mvp_skill.subsamples import halves, part_of, samples_like

LABELS = torch.tensor([0] * 11 + [1] * 17 + [2] * 9 + [3] * 16)


def labelled(seed=0):
    order = torch.randperm(53, generator=torch.Generator().manual_seed(seed))
    return some_split(53, labels=LABELS[order])


def numbers_of(part, split):
    place = {id(record): number for number, record in enumerate(split.records)}
    numbers = [place[id(record)] for record in part.records]
    assert split.labels[numbers].equal(part.labels)
    return numbers


def test_b6_ranking_and_testing_share_no_example():
    split = labelled()
    first, second = halves(split, seed=0)
    a, b = numbers_of(first, split), numbers_of(second, split)
    assert not set(a) & set(b) and sorted(a + b) == list(range(53))
    assert a == sorted(a) and b == sorted(b)
    counts = torch.bincount(first.labels) - torch.bincount(second.labels)
    assert counts.abs().max() <= 1 and counts.sum().abs() <= 1
    assert numbers_of(halves(split, seed=0)[0], split) == a
    assert numbers_of(halves(split, seed=1)[0], split) != a
    with pytest.raises(BadInput, match="two or more"):
        halves(part_of(split, torch.arange(53) < 3), seed=0)


def test_clean_samples_have_the_adversarial_class_counts():
    clean, adversarial = labelled(), some_split(14, labels=torch.tensor([0] * 5 + [3] * 9))
    samples = samples_like(adversarial, clean, n_draws=6, seed=0)
    found = [numbers_of(sample, clean) for sample in samples]
    for numbers in found:
        assert len(set(numbers)) == 14
        assert torch.bincount(clean.labels[numbers], minlength=4).tolist() == [5, 0, 0, 9]
    assert len({tuple(numbers) for numbers in found}) == 6
    again = samples_like(adversarial, clean, n_draws=2, seed=0)
    assert [numbers_of(sample, clean) for sample in again] == found[:2]
    assert len(set().union(*found)) > 20  # of the 27 there are
    with pytest.raises(BadInput, match="larger split"):
        samples_like(clean, adversarial)
