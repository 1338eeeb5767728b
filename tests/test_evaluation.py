"""How sure a victim is, against a slow reference."""

import math
import statistics

import pytest
import torch

from mvp_skill.evaluation import certainty


def test_certainty_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    logits = 12 * torch.randn(53, 3, generator=generator)  # [batch, class]
    labels = torch.randint(3, (53,), generator=generator)  # [batch]
    margins, n_blind = [], 0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        margin = row[label] - max(value for i, value in enumerate(row) if i != label)
        if margin > 0:
            margins.append(margin)
            rest = sum(math.exp(value - row[label]) for i, value in enumerate(row) if i != label)
            n_blind += rest < 2**-24  # then 1 / (1 + rest) is 1 in 32 bits
    found = certainty(logits, labels)
    assert 0 < n_blind < len(margins) < 53
    assert found["n_right"] == len(margins)
    assert found["median_margin"] == pytest.approx(statistics.median_low(margins), abs=1e-5)
    assert found["blind_share"] == pytest.approx(n_blind / len(margins))


def test_certainty_of_a_victim_that_is_always_wrong():
    found = certainty(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert found == {"n_right": 0, "median_margin": None, "blind_share": None}
