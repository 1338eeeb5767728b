"""Where at the prompt neurons predict: against plain counting, with planted positions."""

import pytest
import torch
from neuron_cases import counted, random_fired

from mvp_skill.prompt_positions import (
    best_by_position,
    mean_by_position,
    share_by_position,
    without_position_0,
)


def test_shares_are_counted_among_the_selected():
    prompt = torch.tensor([[0, 3, 3], [1, 3, 0]])
    selected = torch.tensor([[True, True, True], [False, True, False]])
    found = share_by_position(prompt, selected, n_prompt=5)
    assert found.tolist() == [0.25, 0, 0, 0.75, 0]


def test_p5_a_planted_position_stands_out_and_can_be_left_out():
    labels = torch.arange(53) % 2
    fired = random_fired()
    fired[:, 1, 0, 3] = labels.bool()  # layer 1, position 0 (the mask), neuron 3: always right
    fired[:, 2, 4, 6] = ~labels.bool()  # layer 2, position 4, neuron 6: always wrong
    counts = counted(fired, labels)
    best = best_by_position(counts)
    assert best[1, 0] == 1 and best[2, 4] == 1
    others = best.clone()
    others[1, 0] = others[2, 4] = 0
    assert others.max() < 0.85
    without = best_by_position(counts.without_mask_position())
    assert without.shape == (3, 4) and torch.equal(without, best[:, 1:])


def test_means_over_selected_neurons_equal_a_loop():
    labels = torch.arange(53) % 2
    fired = random_fired(seed=2)
    selected = torch.zeros(3, 7, dtype=torch.bool)
    selected[0, 2] = selected[2, 5] = True
    found = mean_by_position(counted(fired, labels), selected)
    for position in range(5):
        values = []
        for layer, neuron in ((0, 2), (2, 5)):
            says = fired[:, layer, position, neuron]
            recalls = (says[labels == 1].double().mean(), 1 - says[labels == 0].double().mean())
            values.append(max(sum(recalls) / 2, 1 - sum(recalls) / 2).item())
        assert found[position].item() == pytest.approx(sum(values) / 2)


def test_p5_what_is_told_at_the_mask_only_is_gone_without_it():
    labels = torch.arange(53) % 2
    fired = random_fired()
    fired[:, 1, 0, 3] = labels.bool()
    fired[:, 0, 2, 1] = labels.bool()
    fired[0, 0, 2, 1] = ~labels.bool()[0]
    found = without_position_0(counted(fired, labels), fraction=0.1)
    assert found["best neuron, all positions"] == 1
    assert found["without position 0"] == pytest.approx(52 / 53)
    assert found["top neurons in both"] == 0.5
