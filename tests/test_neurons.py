"""The formulas of the neuron half, against loops and planted neurons."""

import pytest
import torch
from neuron_cases import counted, random_fired
from torch.testing import assert_close

from mvp_skill.errors import BadInput
from mvp_skill.neurons import (
    aggregate,
    balanced_neuron_accuracy,
    best_prompt,
    constant_neurons,
    majority_rate,
    neuron_accuracy,
    predictivity,
)

N = 53


def some_labels(n_ones=20):
    generator = torch.Generator().manual_seed(1)
    return (torch.randperm(N, generator=generator) < n_ones).long()


def loop_accuracy(fired, labels):
    """[layer, prompt, neuron], one example at a time."""
    right = torch.zeros(fired.shape[1:], dtype=torch.float64)
    for one, label in zip(fired, labels.tolist(), strict=True):
        right += one == bool(label)
    return right / len(labels)


def test_neuron_accuracy_equals_a_loop():
    fired, labels = random_fired(N), some_labels()
    found = neuron_accuracy(counted(fired, labels))
    assert found.shape == (3, 5, 7) and found.equal(loop_accuracy(fired, labels))


def test_balanced_accuracy_is_the_mean_over_balanced_samples():
    fired, labels = random_fired(N), some_labels()
    found = balanced_neuron_accuracy(counted(fired, labels))
    recall = [(fired[labels == label] == bool(label)).double().mean(dim=0) for label in (0, 1)]
    assert_close(found, (recall[0] + recall[1]) / 2)
    ones, zeros = labels.nonzero()[:, 0], (labels == 0).nonzero()[:, 0]
    generator = torch.Generator().manual_seed(0)
    samples = [
        torch.cat([ones, zeros[torch.randperm(33, generator=generator)[:20]]]) for _ in range(2000)
    ]
    mean = torch.stack([loop_accuracy(fired[s], labels[s]) for s in samples]).mean(dim=0)
    assert_close(mean, found, atol=0.01, rtol=0)


def test_names_of_the_labels_may_be_swapped():
    fired, labels = random_fired(N), some_labels()
    accuracy = neuron_accuracy(counted(fired, labels))
    swapped = neuron_accuracy(counted(fired, 1 - labels))
    assert_close(swapped, 1 - accuracy)
    assert predictivity(swapped).equal(predictivity(accuracy))
    first, second = best_prompt(accuracy), best_prompt(swapped)
    assert first.predictivity.equal(second.predictivity) and first.prompt.equal(second.prompt)
    unsure = first.predictivity == 0.5
    assert (first.excitatory != second.excitatory)[~unsure].all() and not unsure.all()


def test_a_neuron_and_its_negative_predict_equally_well_to_the_last_bit():
    fired, labels = random_fired(N), some_labels()
    both = torch.cat([fired, ~fired], dim=3)
    for accuracy in (neuron_accuracy, balanced_neuron_accuracy):
        pred = best_prompt(accuracy(counted(both, labels))).predictivity
        assert pred[:, :7].equal(pred[:, 7:])


def test_a_planted_neuron_is_ranked_first_where_it_was_planted():
    fired, labels = random_fired(N), some_labels()
    flipped = labels.clone()
    flipped[:4] = 1 - flipped[:4]
    fired[:, 2, 3, 5] = flipped.bool()
    fired[:, 1, 4, 6] = ~flipped.bool()
    best = best_prompt(neuron_accuracy(counted(fired, labels)))
    for layer, prompt, neuron, excites in [(2, 3, 5, True), (1, 4, 6, False)]:
        assert best.predictivity[layer].argmax() == neuron
        assert best.predictivity[layer, neuron] == pytest.approx(49 / 53)
        assert best.prompt[layer, neuron] == prompt and best.excitatory[layer, neuron] == excites


def test_the_best_prompt_equals_a_loop_and_the_first_wins_ties():
    accuracy = neuron_accuracy(
        counted(random_fired(9), some_labels()[:9] * 0 + torch.arange(9) % 2)
    )
    best = best_prompt(accuracy)
    n_ties = 0
    for layer in range(3):
        for neuron in range(7):
            folded = [max(a, 1 - a) for a in accuracy[layer, :, neuron].tolist()]
            highest = max(folded)
            equal = [p for p, value in enumerate(folded) if abs(value - highest) < 1e-9]
            n_ties += len(equal) > 1
            assert best.prompt[layer, neuron] == equal[0]
            assert best.predictivity[layer, neuron] == pytest.approx(highest)
    assert n_ties > 0


def test_the_maximum_over_positions_comes_before_the_mean_over_seeds():
    """Each seed has its own good position: 0.9. Means over seeds first would give 0.7."""
    first, second = torch.full((1, 2, 1), 0.5).double(), torch.full((1, 2, 1), 0.5).double()
    first[0, 0, 0], second[0, 1, 0] = 0.9, 0.1
    found = aggregate([first, second])
    assert found.shape == (1, 1) and found.item() == pytest.approx(0.9)
    assert aggregate(torch.stack([first, second])).equal(found)
    with pytest.raises(BadInput, match="at least one"):
        aggregate([])


def test_aggregation_equals_a_loop():
    seeds = [neuron_accuracy(counted(random_fired(N, seed=s), some_labels())) for s in range(3)]
    found = aggregate(seeds)
    for layer in range(3):
        for neuron in range(7):
            best = [
                max(max(a, 1 - a) for a in accuracy[layer, :, neuron].tolist())
                for accuracy in seeds
            ]
            assert found[layer, neuron] == pytest.approx(sum(best) / 3, abs=1e-6)


def test_b8_dead_units_have_the_majority_rate_and_balanced_one_half():
    fired, labels = random_fired(N), some_labels(n_ones=17)
    fired[:, 1, :, 4] = False
    fired[:, 0, :, 2] = True
    fired[:, 2, :4, 3] = False  # silent at all positions but one: not constant
    counts = counted(fired, labels)
    pred = best_prompt(neuron_accuracy(counts)).predictivity
    balanced = best_prompt(balanced_neuron_accuracy(counts)).predictivity
    assert majority_rate(counts) == pytest.approx(36 / 53)
    for layer, neuron in [(1, 4), (0, 2)]:
        assert pred[layer, neuron] == pytest.approx(36 / 53) and balanced[layer, neuron] == 0.5
    assert constant_neurons(counts).nonzero().tolist() == [[0, 2], [1, 4]]


def test_several_classes_are_refused():
    counts = counted(random_fired(N), torch.arange(N) % 3, n_classes=3)
    for accuracy in (neuron_accuracy, balanced_neuron_accuracy):
        with pytest.raises(BadInput, match="subtasks"):
            accuracy(counts)
