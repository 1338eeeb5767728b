"""What chance gives: against loops, against its known size, and for neurons without meaning."""

import pytest
import torch
from neuron_cases import counted, random_fired

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import FiringCounts
from mvp_skill.neuron_null import (
    above_null,
    best_neurons,
    family_p_values,
    null_predictivity,
    p_values,
)
from mvp_skill.neurons import balanced_neuron_accuracy, best_prompt, neuron_accuracy

LABELS = (torch.arange(53) % 5 < 2).long()


def test_the_null_takes_the_same_maximum_as_predictivity():
    counts = counted(random_fired(), LABELS, n_permutations=4)
    for accuracy in (neuron_accuracy, balanced_neuron_accuracy):
        null = null_predictivity(counts, accuracy)
        assert null.shape == (4, 3, 7)
        for number in range(4):
            values = accuracy(counts.nulls[number])
            for layer in range(3):
                for neuron in range(7):
                    best = max(max(a, 1 - a) for a in values[layer, :, neuron].tolist())
                    assert null[number, layer, neuron] == pytest.approx(best)
    with pytest.raises(BadInput, match="n_permutations"):
        null_predictivity(counted(random_fired(), LABELS))


@pytest.mark.parametrize(("n", "expected"), [(78, 0.654), (148, 0.612), (872, 0.546)])
def test_b9_predictivity_without_signal_is_as_far_above_one_half_as_it_should(n, expected):
    """Of 100 independent positions; the expected values were computed by others from theory."""
    half = torch.full((200, 2, 1, 100, 3), n // 2, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    fired = torch.binomial(half, torch.tensor(0.5).expand_as(half), generator=generator).int()
    counts = FiringCounts(
        fired[0], torch.tensor([n // 2, n // 2]), fired, "clean-train", 1, "prompt"
    )
    assert null_predictivity(counts).mean().item() == pytest.approx(expected, abs=0.003)


def test_b9_neurons_without_meaning_are_not_above_the_null():
    fired = random_fired(n=60, n_layers=3, n_prompt=40, n_neurons=31)
    labels = torch.arange(60) % 2
    counts = counted(fired, labels, n_permutations=39)
    pred, null = best_prompt(neuron_accuracy(counts)).predictivity, null_predictivity(counts)
    assert pred.mean() > 0.6  # looks like skill
    assert above_null(pred, null).mean().abs() < 0.01
    p = p_values(pred, null)
    assert 0.4 < p.mean() < 0.65 and (p <= 0.05).float().mean() < 0.12
    assert (family_p_values(pred, null) > 0.05).all()


def test_a_planted_neuron_is_above_the_null():
    fired = random_fired(n=60, n_layers=3, n_prompt=40, n_neurons=31)
    labels = torch.arange(60) % 2
    fired[:, 1, 7, 11] = labels.bool()
    counts = counted(fired, labels, n_permutations=39)
    pred, null = best_prompt(neuron_accuracy(counts)).predictivity, null_predictivity(counts)
    assert above_null(pred, null).flatten().argmax() == 31 + 11
    assert family_p_values(pred, null)[1, 11] == pytest.approx(1 / 40)
    assert (family_p_values(pred, null) <= 0.05).sum() == 1


def test_p_values_equal_a_count():
    generator = torch.Generator().manual_seed(2)
    pred = torch.randint(4, (3, 5), generator=generator).float()
    null = torch.randint(4, (19, 3, 5), generator=generator).float()
    own, family = p_values(pred, null), family_p_values(pred, null)
    for layer in range(3):
        for neuron in range(5):
            value = pred[layer, neuron]
            as_good = sum(one[layer, neuron] >= value for one in null)
            any_as_good = sum(one.max() >= value for one in null)
            assert own[layer, neuron] == pytest.approx((1 + as_good) / 20)
            assert family[layer, neuron] == pytest.approx((1 + any_as_good) / 20)
    assert above_null(pred, null)[2, 1] == pytest.approx(pred[2, 1] - null[:, 2, 1].mean())


def test_the_best_neurons_are_the_top_of_each_layer_also_of_each_permutation():
    generator = torch.Generator().manual_seed(2)
    pred, null = torch.rand(3, 11, generator=generator), torch.rand(4, 3, 11, generator=generator)

    def by_hand(values):  # a quarter of 11 are two
        return sum(sum(sorted(row)[-2:]) / 2 for row in values.tolist()) / 3

    found = best_neurons(pred, null, 0.25)
    nulls = [by_hand(one) for one in null]
    assert found.predictivity == pytest.approx(by_hand(pred))
    assert found.null == pytest.approx(sum(nulls) / 4)
    assert found.above_null == pytest.approx(by_hand(pred) - sum(nulls) / 4)
    assert found.p == (1 + sum(n >= by_hand(pred) for n in nulls)) / 5
    assert best_neurons(null[0], null, 0.25).p > best_neurons(pred + 1, null, 0.25).p == 1 / 5
    with pytest.raises(BadInput, match="is none"):
        best_neurons(pred, null, 0.05)
