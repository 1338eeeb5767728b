"""Halves and samples: who is in them, and that nobody is in both halves."""

import pytest
import torch
from neuron_cases import some_split

from mvp_skill.errors import BadInput
from mvp_skill.subsamples import halves, part_of, sample_of, samples_like

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


# The exact shares of 20 are 4.15, 6.42, 3.40 and 6.04; of 52 they are 10.79, 16.68, 8.83, 15.70.
@pytest.mark.parametrize(
    ("n", "of_class"),
    [(20, [4, 7, 3, 6]), (7, [2, 2, 1, 2]), (1, [0, 1, 0, 0]), (52, [11, 16, 9, 16])],
)
def test_a_sample_has_the_class_shares_of_its_split(n, of_class):
    split = labelled()
    numbers = numbers_of(sample_of(split, n, seed=0), split)
    assert numbers == sorted(set(numbers)) and len(numbers) == n
    assert torch.bincount(split.labels[numbers], minlength=4).tolist() == of_class
    assert numbers_of(sample_of(split, n, seed=0), split) == numbers
    drawn = {tuple(numbers_of(sample_of(split, n, seed=seed), split)) for seed in range(9)}
    assert len(drawn) > 3


def test_a_sample_of_all_is_the_split():
    split = labelled()
    assert all(sample_of(split, n) is split for n in (None, 53, 99))
    with pytest.raises(BadInput, match="n "):
        sample_of(split, 0)
