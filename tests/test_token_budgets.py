"""How many tokens a batch gets: planted clocks and memories."""

import numpy as np
import pytest
import torch
from torch import nn

from mvp_skill import token_budgets
from mvp_skill.batching import LANES, steady_batches
from mvp_skill.errors import BadInput
from mvp_skill.token_budgets import TRIALS, TokenBudget, budget_of

CPU = torch.device("cpu")


def worked(budget, waiting, seconds_of, monkeypatch):
    """One batch of the size that the budget asks for."""
    n_tokens = min(budget.tokens(waiting), waiting)
    clock = iter([0.0, seconds_of(n_tokens)])
    monkeypatch.setattr(token_budgets.time, "perf_counter", lambda: next(clock))
    with budget.timed(n_tokens, CPU):
        pass
    return n_tokens


@pytest.mark.parametrize(
    ("seconds_of", "fastest"),
    [
        (lambda n: 0.001 + n * 1e-6, 800),  # the larger the better
        (lambda n: 0.001 + n * 1e-5 * (1 + (n > 200) * n / 400), 200),  # out of the cache
        (lambda n: n**1.5, 100),  # the smaller the better
    ],
)
def test_each_size_is_tried_and_the_fastest_stays(seconds_of, fastest, monkeypatch):
    budget = TokenBudget((100, 800, 200))
    tried = [worked(budget, 10_000, seconds_of, monkeypatch) for _ in range(3 * TRIALS)]
    assert sorted(tried) == sorted(TRIALS * [100, 200, 800])
    assert budget.tokens(10_000) == budget.chosen == fastest
    with budget.timed(fastest, CPU):  # no clock is read any more
        pass


def test_one_slow_moment_decides_nothing(monkeypatch):
    budget, disturbed = TokenBudget((100, 200)), iter([9.0])
    for _ in range(2 * TRIALS):
        worked(budget, 999, lambda n: next(disturbed, 0.0) + 1 + n * 1e-3, monkeypatch)
    assert budget.chosen == 200


def test_a_size_that_is_never_filled_is_not_measured(monkeypatch):
    budget = TokenBudget((100, 200, 800))
    for _ in range(20):
        assert worked(budget, 250, lambda n: 1.0, monkeypatch) in (100, 200)
    assert budget.chosen == 200
    with budget.timed(150, CPU):  # less than asked for: says nothing
        pass
    assert budget.tokens(900) == 800  # as soon as there is enough


def test_a_single_size_is_not_measured():
    budget = TokenBudget((512,))
    assert budget.tokens(3) == budget.tokens(99_999) == 512
    with budget.timed(512, CPU):
        pass
    assert budget.chosen == 512


def test_what_does_not_fit_into_memory_is_not_asked_for_again():
    budget = TokenBudget((100, 200, 800))
    budget.too_large(790)
    assert budget.sizes == [100, 200]
    budget.too_large(100)
    budget.too_large(60)
    assert budget.sizes == [50] and budget.tokens(5) == 50
    budget.too_large(41)
    assert budget.sizes == [20]


def test_a_batch_is_halved_until_it_fits():
    budget, tried = TokenBudget((100, 200, 800)), []

    def compute(items):
        tried.append(list(items))
        with budget.timed(90 * len(items), CPU):
            if len(items) > 2:
                raise torch.OutOfMemoryError("no room")
        return sum(items)

    assert budget.in_halves(compute, [1, 2, 3, 4, 5, 6, 7]) == [1, 5, 9, 13]
    assert tried == [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3], [1], [2, 3], [4, 5, 6, 7], [4, 5], [6, 7]]
    assert budget.sizes == [100, 200]

    def never(items):
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(torch.OutOfMemoryError):
        budget.in_halves(never, [1, 2])


def test_models_of_one_kind_and_size_share_a_budget():
    first, second, larger = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(3, 5)
    assert budget_of("victim", first) is budget_of("victim", second)
    assert budget_of("victim", first) is not budget_of("victim", larger)
    assert budget_of("victim", first) is not budget_of("encoder", first)
    assert tuple(budget_of("victim", first).sizes) == token_budgets.SIZES["cpu"]
    # A vocabulary of 50,265 in 32 bits: a gibibyte is 5,340 tokens; of 2**20 words it is 256.
    assert budget_of("masked_lm", first, 50_265).sizes == list(token_budgets.SIZES["cpu"])
    assert budget_of("masked_lm", first, 2**18).sizes == [512, 1024]
    assert budget_of("masked_lm", first, 2**20).sizes == [256]


@pytest.mark.parametrize("n_rows", [1, 4])
@pytest.mark.parametrize("budget", [1, 60, 256, 5000])
def test_steady_batches_hold_every_example_once(n_rows, budget):
    lengths = np.random.default_rng(0).integers(1, 90, size=97)
    batches = list(steady_batches(lengths, n_rows, lambda waiting: budget))
    assert sorted(np.concatenate(batches)) == list(range(97))
    assert lengths[batches[0]].max() == lengths.max()  # the longest first
    for batch in batches:
        assert len(batch) == 1 or n_rows * len(batch) * lengths[batch].max() <= budget
        assert len(set(lengths[batch] // LANES)) == 1
    for batch, following in zip(batches, batches[1:], strict=False):  # full
        same_span = lengths[batch].max() // LANES == lengths[following].max() // LANES
        assert not same_span or n_rows * (len(batch) + 1) * lengths[batch].max() > budget


def test_steady_batches_say_how_much_waits():
    waits = []
    list(steady_batches([5, 3, 5, 4], 2, lambda waiting: waits.append(waiting) or 20))
    assert waits == [34, 14]
    with pytest.raises(BadInput, match="no examples"):
        next(steady_batches([], 1, lambda waiting: 8))
