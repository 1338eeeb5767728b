"""The benchmark of neuron scoring compares two algorithms that give the same scores."""

import numpy as np
import pytest
import torch
from benchmarks import scoring
from neuron_cases import SmallModel, planted_model, planted_split, some_split
from torch.testing import assert_close


@pytest.mark.parametrize("n_tokens", [None, 17])
def test_both_sides_find_the_planted_neuron_with_the_same_scores(n_tokens):
    model, train, test = planted_model(), planted_split(39, seed=1), planted_split()
    ours = scoring.scores(model, train, test, n_permutations=3)
    theirs = scoring.reference_scores(model, train, test, n_tokens=n_tokens)
    assert_close(ours, theirs, atol=0, rtol=0)
    assert ours[1, 0, 4] == pytest.approx(37 / 41) and ours.shape == (3, 5, 11)


@pytest.mark.parametrize("seed", [0, 1])
def test_both_sides_agree_on_random_texts_of_odd_numbers(seed, monkeypatch):
    monkeypatch.setattr(scoring, "BATCH_SIZE", 8)
    model, train, test = SmallModel(seed=seed), some_split(51, seed=2), some_split(37, seed=seed)
    theirs = scoring.reference_scores(model, train, test, n_tokens=20)
    assert_close(scoring.scores(model, train, test), theirs, atol=1.01 / 37, rtol=0)
    assert len(theirs.unique()) > 9, "not all alike"


def test_a_model_of_given_activations_is_read_by_both_sides():
    model = scoring.Given([torch.randn(7, 9, 5), torch.randn(7, 9, 5)], n_prompt=4)
    records = [scoring.Number(np.array([number]), 5) for number in range(7)]
    split = scoring.Split(records, torch.tensor([0, 1, 1, 0, 1, 0, 0]))
    found = scoring.scores(model, split, split, 0)
    fires = torch.stack([a[:, :4] > a[:, :4].mean(dim=0) for a in model.activations], dim=1)
    expected = (fires == (split.labels == 1)[:, None, None, None]).double().mean(dim=0)
    assert_close(found, expected)
    assert_close(scoring.reference_scores(model, split, split, None), expected)


def test_the_script_gives_a_table_of_all_figures(monkeypatch):
    monkeypatch.setattr(scoring, "PAPER_SHAPE", (1, 5, 3, 8))
    monkeypatch.setattr(scoring.counting_rows, "__defaults__", ((1, 5, 3, 8),))
    monkeypatch.setattr(scoring, "peak_of", lambda side, kind, n: {"reference": 3.5}.get(side, 1))
    asked = ["--kinds", "t5", "--n", "6", "--growth", "4", "--rounds", "1", "--n-counting", "6"]
    rows = scoring.main(asked)
    names = {"benchmark", "what", "figure", "unit", "bar", "n"}
    assert all(set(row) == names and row["n"] in (4, 6) for row in rows)
    assert len({row["what"] for row in rows}) == len(rows) == 11
    bars = [row["bar"] for row in rows if row["bar"]]
    assert bars == [">= 10", "<= 1.15", ">= 10", "<= 0.1"]
    beyond = {row["what"]: row["figure"] for row in rows if row["unit"] == "MiB"}
    assert list(beyond.values()) == [0, 2.5, 0]


def test_memory_is_that_of_a_process_of_its_own():
    grown = np.ones(2**27)  # 1 GiB here is nothing to it
    assert scoring.own_peak() > 1000
    del grown
    assert 100 < scoring.peak_of("bare", "t5", 2) < 1000
