"""All that is asked of the neurons of one prompt on one data set, and its file.

scores = neuron_scores(counts)
save_scores(folder / "clean.safetensors", scores, {"task": "mini_films", "seed": 0})
scores, record = load_scores(folder / "clean.safetensors")
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mvp_skill import __version__
from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import BaselineActivation, FiringCounts
from mvp_skill.neuron_null import null_predictivity
from mvp_skill.neurons import (
    balanced_neuron_accuracy,
    best_prompt,
    constant_neurons,
    neuron_accuracy,
)
from mvp_skill.weights import read_tensors, write_tensors

FORMAT = 3
"""Of the files; scores in an older one are computed anew."""


@dataclass(frozen=True)
class NeuronScores:
    """Of one prompt on one data set; all on the CPU."""

    predictivity: Tensor
    """At the best prompt position, [layer, neuron]"""
    prompt: Tensor
    """That position, [layer, neuron]"""
    excitatory: Tensor
    """Whether firing there speaks for class 1, [layer, neuron]; means nothing of constant ones"""
    balanced: Tensor
    """Predictivity by balanced accuracy, at its own best position, [layer, neuron]"""
    constant: Tensor
    """Neurons that fire for no example or for all, at every position, [layer, neuron]"""
    null: Tensor
    """Predictivity of each permutation of the labels, [permutation, layer, neuron]"""
    null_balanced: Tensor
    """The same by balanced accuracy, [permutation, layer, neuron]"""
    after_first: Tensor
    """Predictivity by balanced accuracy without prompt position 0, which for RoBERTa is the mask;
    [layer, neuron], and [layer, 0] where there is no other prompt position"""
    null_after_first: Tensor
    """The same for permuted labels, [permutation, layer, neuron]"""
    n: Tensor
    """Examples, [class]"""
    threshold_source: str
    n_threshold: int
    """Examples that the baseline activation is the mean of."""
    positions: str

    @property
    def majority_rate(self) -> float:
        """Share of the commonest class: the predictivity of a constant neuron."""
        return (self.n.max() / self.n.sum()).item()


def neuron_scores(counts: FiringCounts) -> NeuronScores:
    """The scores that follow from counts of two classes; without permutations `null` is empty."""
    accuracy = neuron_accuracy(counts)
    best = best_prompt(accuracy)
    nulls = [accuracy.new_zeros(0, *best.predictivity.shape)] * 2
    if len(counts.null_fired):
        nulls = [
            null_predictivity(counts, how) for how in (neuron_accuracy, balanced_neuron_accuracy)
        ]
    balanced = best_prompt(balanced_neuron_accuracy(counts)).predictivity
    tensors = (*best, balanced, constant_neurons(counts), *nulls, *_after_first(counts), counts.n)
    return NeuronScores(
        *(tensor.cpu() for tensor in tensors),
        counts.threshold_source,
        counts.n_threshold,
        counts.positions,
    )


def _after_first(counts: FiringCounts) -> tuple[Tensor, Tensor]:
    """Balanced predictivity without prompt position 0, its null; no neurons if that is all."""
    n_permutations, _, n_layers, n_positions, n_neurons = counts.null_fired.shape
    if counts.positions != "prompt" or n_positions < 2:
        return torch.zeros(n_layers, 0), torch.zeros(n_permutations, n_layers, 0)
    others = counts.without_mask_position()
    pred = best_prompt(balanced_neuron_accuracy(others)).predictivity
    if not n_permutations:
        return pred, pred.new_zeros(0, n_layers, n_neurons)
    return pred, null_predictivity(others, balanced_neuron_accuracy)


def save_thresholds(path: str | Path, thresholds: BaselineActivation) -> None:
    """Write baseline activations as safetensors, atomically."""
    facts = {key: value for key, value in vars(thresholds).items() if key != "mean"}
    header = {"version": __version__, "facts": json.dumps(facts)}
    write_tensors(Path(path), {"mean": thresholds.mean}, header)


def load_thresholds(path: str | Path) -> BaselineActivation:
    """What `save_thresholds` wrote, on the CPU; BadInput for a file that is not complete."""
    tensors, header = read_tensors(Path(path))
    return BaselineActivation(tensors["mean"], **json.loads(header["facts"]))


def save_scores(path: str | Path, scores: NeuronScores, record: dict[str, Any]) -> None:
    """Write scores as safetensors, atomically; what they are of goes into the header.

    record   what JSON can hold: task, backbone, seed of the prompt, which data
    """
    values = vars(scores)
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    facts = {name: value for name, value in values.items() if name not in tensors}
    header = {"version": __version__, "facts": json.dumps(facts), "record": json.dumps(record)}
    write_tensors(Path(path), tensors, header)


def load_scores(path: str | Path) -> tuple[NeuronScores, dict[str, Any]]:
    """What `save_scores` wrote: the scores, and the record of what they are of.

    raises   BadInput if the file is missing, damaged or something else
    """
    tensors, header = read_tensors(Path(path))
    try:
        scores = NeuronScores(**tensors, **json.loads(header["facts"]))
        return scores, json.loads(header["record"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{path} holds no neuron scores of this version of mvp_skill; delete it and score the "
            "neurons again."
        ) from error
