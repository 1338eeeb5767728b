"""Scores of neurons, and their file."""

from dataclasses import replace

import pytest
import torch
from neuron_cases import counted, random_fired

from mvp_skill.errors import BadInput
from mvp_skill.neuron_null import null_predictivity
from mvp_skill.neuron_scores import load_scores, neuron_scores, save_scores
from mvp_skill.neurons import (
    balanced_neuron_accuracy,
    best_prompt,
    constant_neurons,
    majority_rate,
    neuron_accuracy,
)
from mvp_skill.weights import write_tensors

LABELS = (torch.arange(53) % 5 < 2).long()


def some_counts(n_permutations=3):
    fired = random_fired()
    fired[:, 1, :, 4] = False
    return counted(fired, LABELS, n_permutations=n_permutations)


def test_scores_are_those_of_the_formulas():
    counts = some_counts()
    scores, best = neuron_scores(counts), best_prompt(neuron_accuracy(counts))
    assert scores.predictivity.equal(best.predictivity) and scores.prompt.equal(best.prompt)
    assert scores.excitatory.equal(best.excitatory)
    assert scores.balanced.equal(best_prompt(balanced_neuron_accuracy(counts)).predictivity)
    assert scores.constant.equal(constant_neurons(counts)) and scores.constant.sum() == 1
    assert scores.null.equal(null_predictivity(counts))
    assert scores.null_balanced.equal(null_predictivity(counts, balanced_neuron_accuracy))
    assert scores.majority_rate == majority_rate(counts)
    assert neuron_scores(some_counts(n_permutations=0)).null.shape == (0, 3, 7)


def test_b5_the_file_keeps_scores_and_says_what_they_are_of(tmp_path):
    path, record = tmp_path / "clean.safetensors", {"task": "mini_films", "seed": 0}
    scores = neuron_scores(some_counts())
    save_scores(path, scores, record)
    loaded, of = load_scores(path)
    assert of == record and vars(loaded).keys() == vars(scores).keys()
    assert (loaded.threshold_source, loaded.n_threshold) == ("clean-train", 100)
    for name, value in vars(scores).items():
        other = getattr(loaded, name)
        assert other.equal(value) if isinstance(value, torch.Tensor) else other == value


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(BadInput, match="not a complete"):
        load_scores(path)
    write_tensors(path, {"predictivity": torch.ones(2, 3)}, {})
    with pytest.raises(BadInput, match="no neuron scores"):
        load_scores(path)
    write_tensors(path, {"other": torch.ones(2, 3)}, {"facts": "{}", "record": "{}"})
    with pytest.raises(BadInput, match="no neuron scores"):
        load_scores(path)


def test_p5_scores_without_the_first_position_are_those_of_the_others():
    fired = random_fired()
    fired[:, 1, 0, 4] = LABELS.bool()  # told at position 0 only
    scores = neuron_scores(counted(fired, LABELS, n_permutations=3))
    others = counted(fired[:, :, 1:], LABELS, n_permutations=3)
    assert scores.after_first.equal(best_prompt(balanced_neuron_accuracy(others)).predictivity)
    assert scores.null_after_first.equal(null_predictivity(others, balanced_neuron_accuracy))
    assert not scores.after_first.equal(best_prompt(neuron_accuracy(others)).predictivity)
    assert scores.predictivity[1, 4] == 1 > scores.after_first[1, 4]


def test_p5_where_there_is_no_other_prompt_position_there_are_no_such_scores(tmp_path):
    one = counted(random_fired(n_prompt=1), LABELS, n_permutations=2)
    pooled = replace(some_counts(), positions="text_mean")
    for counts, n_permutations in ((one, 2), (pooled, 3)):
        save_scores(tmp_path / "scores.safetensors", neuron_scores(counts), {})
        scores, _ = load_scores(tmp_path / "scores.safetensors")
        assert scores.after_first.shape == (3, 0)
        assert scores.null_after_first.shape == (n_permutations, 3, 0)
    assert neuron_scores(some_counts(0)).null_after_first.shape == (0, 3, 7)
