"""Pooling the scores of label words and of templates, against loops and planted answers."""

import math

import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.prompts import pool_templates, pool_words

SEEDED = torch.Generator().manual_seed(0)
POOL = {"max": max, "mean": lambda values: math.fsum(values) / len(values)}


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pitfall_20_pool_words_against_a_loop(how):
    word_class = [2, 0, 3, 1, 0, 2, 2]
    scores = torch.randn(3, 5, 7, dtype=torch.float64, generator=SEEDED)  # [batch, template, word]
    expected = torch.empty(3, 5, 4, dtype=torch.float64)  # [batch, template, class]
    for b in range(3):
        for t in range(5):
            for c in range(4):
                votes = [scores[b, t, w].item() for w in range(7) if word_class[w] == c]
                expected[b, t, c] = POOL[how](votes)
    torch.testing.assert_close(pool_words(scores, word_class, how), expected)
    torch.testing.assert_close(pool_words(scores, torch.tensor(word_class), how), expected)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pool_templates_against_a_loop(how):
    scores = torch.randn(3, 5, 4, dtype=torch.float64, generator=SEEDED)  # [batch, template, class]
    expected = torch.empty(3, 4, dtype=torch.float64)  # [batch, class]
    for b in range(3):
        for c in range(4):
            expected[b, c] = POOL[how]([scores[b, t, c].item() for t in range(5)])
    torch.testing.assert_close(pool_templates(scores, how), expected)


def test_pooling_with_planted_answers():
    """Classes first, then templates: the other order gives 6 for class 0, not 5.5."""
    scores = torch.tensor([[[9.0, 1.0, 4.0], [2.0, 2.0, 0.0]]])  # [batch, template, word]
    by_class = pool_words(scores, [0, 0, 1])  # max is the default
    assert by_class.tolist() == [[[9.0, 4.0], [2.0, 0.0]]]
    assert pool_templates(by_class).tolist() == [[5.5, 2.0]]  # mean is the default
    assert pool_templates(by_class, "max").tolist() == [[9.0, 4.0]]
    assert pool_words(scores, [0, 0, 1], "mean").tolist() == [[[5.0, 4.0], [2.0, 0.0]]]


def test_gradients_reach_only_the_words_that_won():
    scores = torch.tensor([[[1.0, 3.0, 2.0]]], requires_grad=True)
    pool_templates(pool_words(scores, [0, 0, 1]))[0, 0].backward()
    assert scores.grad.tolist() == [[[0.0, 1.0, 0.0]]]


def test_bad_pooling_is_refused():
    scores = torch.zeros(1, 1, 3)
    with pytest.raises(BadInput, match="'max' or 'mean'"):
        pool_words(scores, [0, 0, 1], "median")
    with pytest.raises(BadInput, match="'max' or 'mean'"):
        pool_templates(scores, "sum")
    with pytest.raises(BadInput, match=r"\[2, 0, 1\]"):
        pool_words(scores, [0, 0, 2])
    with pytest.raises(BadInput, match="3 word scores, but 2 words"):
        pool_words(scores, [0, 1])
