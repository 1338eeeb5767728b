"""Subtasks of a task of several classes, against scoring their examples alone."""

import pytest
import torch
from neuron_cases import counted, random_fired
from torch.testing import assert_close

from mvp_skill.errors import BadInput
from mvp_skill.neurons import balanced_neuron_accuracy, neuron_accuracy
from mvp_skill.subtasks import POLAR, Subtask, counts_of, one_against_rest

LABELS = torch.tensor([0] * 11 + [1] * 17 + [2] * 9 + [3] * 16)


@pytest.mark.parametrize(
    "subtask", [Subtask((3,), (1,)), Subtask((0, 2), (1,)), Subtask((2,), (0, 3))]
)
def test_counts_of_a_subtask_are_those_of_its_examples(subtask):
    fired = random_fired()
    counts = counts_of(counted(fired, LABELS, 4, n_permutations=2), subtask)
    inside = torch.isin(LABELS, torch.tensor(subtask.first + subtask.second))
    second = torch.isin(LABELS, torch.tensor(subtask.second)).long()
    expected = counted(fired[inside], second[inside])
    assert counts.fired.equal(expected.fired) and counts.n.equal(expected.n)
    assert neuron_accuracy(counts).equal(neuron_accuracy(expected))
    whole = counted(fired, LABELS, 4, n_permutations=2)
    for null, of_task in zip(counts.nulls, whole.nulls, strict=True):
        assert null.fired.equal(counts_of(of_task, subtask).fired)


def test_one_against_the_rest_and_the_polar_subtasks():
    assert one_against_rest(3) == (
        Subtask((1, 2), (0,)),
        Subtask((0, 2), (1,)),
        Subtask((0, 1), (2,)),
    )
    assert one_against_rest(2) == (Subtask((0,), (1,)),)
    ends, middle = POLAR
    assert ends == Subtask((0,), (2,)) and middle == Subtask((0, 2), (1,))
    with pytest.raises(BadInput, match="at least 2"):
        one_against_rest(1)


def test_subtasks_that_are_none_are_refused():
    for first, second in [((), (1,)), ((0,), ()), ((0, 1), (1,))]:
        with pytest.raises(BadInput, match="tells some classes"):
            Subtask(first, second)
    with pytest.raises(BadInput, match="0 to 3"):
        counts_of(counted(random_fired(), LABELS, 4), Subtask((0,), (4,)))


def test_balanced_accuracy_is_that_of_samples_with_as_many_of_either_side_on_average():
    fired, subtask = random_fired(), Subtask((0, 2), (1,))
    first, second = ((LABELS[:, None] == torch.tensor(s)).any(1) for s in ((0, 2), (1,)))
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(600):
        drawn = first.nonzero()[:, 0][torch.randperm(20, generator=generator)[:17]]
        numbers = torch.cat([drawn, second.nonzero()[:, 0]])
        values.append(neuron_accuracy(counted(fired[numbers], second[numbers].long())))
    expected = balanced_neuron_accuracy(counts_of(counted(fired, LABELS, 4), subtask))
    assert_close(torch.stack(values).mean(dim=0), expected, atol=0.01, rtol=0)
