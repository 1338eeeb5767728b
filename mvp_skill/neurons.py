"""How well single neurons tell two classes apart: the formulas of the papers, one function each.

    accuracy = neuron_accuracy(counts)                  # [layer, prompt, neuron]
    best = best_prompt(accuracy)                        # per neuron its best prompt position
    pred = aggregate([accuracy, accuracy_of_seed_1])    # [layer, neuron]

Source: Wang et al. 2022, section 3; Ackermann and Ohmer 2023. Balanced accuracy is ours.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import FiringCounts


class Best(NamedTuple):
    """Each neuron at the prompt position where it predicts best; each [layer, neuron]."""

    predictivity: Tensor
    """In [0.5, 1]"""
    prompt: Tensor
    """The position, the first of equally good ones."""
    excitatory: Tensor
    """True: firing there speaks for class 1 (accuracy of at least one half). False: for class 0.
    Of a neuron that always says the same it means nothing: its accuracy is the share of a class."""


def neuron_accuracy(counts: FiringCounts) -> Tensor:
    """Acc(l, p, f): share of examples that "fires: class 1, else class 0" has right.

    returns   [layer, prompt, neuron], fp64 in [0, 1]
    raises    BadInput unless there are two classes
    """
    first, second = _two_classes(counts)
    return ((counts.n[0] - first) + second).double() / counts.n.sum()


def balanced_neuron_accuracy(counts: FiringCounts) -> Tensor:
    """The mean of the shares right of either class; one half if a neuron always says the same.

    Neuron accuracy gives such a neuron the share of a class, which rewards it where one class is
    the commoner. It is also the mean neuron accuracy over all samples with as many examples of
    either class.

    returns   [layer, prompt, neuron], fp64 in [0, 1]
    raises    BadInput unless there are two classes
    """
    first, second = _two_classes(counts)
    return (1 - first.double() / counts.n[0] + second.double() / counts.n[1]) / 2


def predictivity(accuracy: Tensor) -> Tensor:
    """Pred = max(Acc, 1 - Acc): a neuron that is reliably silent for class 1 predicts as well.

    accuracy   any shape, fp64
    returns    the same shape, fp32 in [0.5, 1]; equal counts give equal numbers, whichever class
               the neuron fires for
    """
    return torch.maximum(accuracy, 1 - accuracy).float()


def best_prompt(accuracy: Tensor) -> Best:
    """The best prompt position of each neuron: [layer, prompt, neuron] -> [layer, neuron]."""
    folded = predictivity(accuracy)  # [layer, prompt, neuron]
    prompt = folded.argmax(dim=1, keepdim=True)  # [layer, 1, neuron]
    excitatory = accuracy.gather(1, prompt) >= 0.5
    return Best(folded.gather(1, prompt)[:, 0], prompt[:, 0], excitatory[:, 0])


def aggregate(accuracies: Iterable[Tensor]) -> Tensor:
    """Pred(l, f): of each seed the best prompt position, and of those the mean over seeds.

    The order matters. What a prompt position is differs from seed to seed, so their mean over seeds
    would say nothing. The maximum flatters: with many positions a neuron without any meaning
    is above one half by choice alone (`neuron_null.py` says how far).

        accuracies   of each seed [layer, prompt, neuron]
        returns      [layer, neuron], fp32 in [0.5, 1]
    """
    return aggregate_scores(predictivity(accuracy).amax(dim=1) for accuracy in accuracies)


def aggregate_scores(predictivities: Iterable[Tensor]) -> Tensor:
    """Mean over seeds of predictivities that are at their best prompt position already.

    predictivities   of each seed [layer, neuron], or [permutation, layer, neuron] of the null
    returns          the same shape, fp32 in [0.5, 1]
    """
    best = [pred.double() for pred in predictivities]
    if not best:
        raise BadInput("There is no seed to aggregate; give the predictivity of at least one.")
    return torch.stack(best).mean(dim=0).float()


def majority_rate(counts: FiringCounts) -> float:
    """Share of the commonest class: the predictivity of a neuron that always says the same."""
    return (counts.n.max() / counts.n.sum()).item()


def constant_neurons(counts: FiringCounts) -> Tensor:
    """Neurons that, at every prompt position, fire for no example or for all, [layer, neuron].

    They tell nothing apart, and are neither excitatory nor inhibitory. Those that never fire are
    dead (ReLU has many), the rest always on.
    """
    total = counts.fired.sum(dim=0)  # [layer, prompt, neuron]
    return ((total == 0) | (total == counts.n.sum())).all(dim=1)


def _two_classes(counts: FiringCounts) -> tuple[Tensor, Tensor]:
    """The counts of class 0 and of class 1, each [layer, prompt, neuron]."""
    if len(counts.fired) != 2:
        raise BadInput(
            f"A neuron tells two classes apart, not {len(counts.fired)}; cut the task into "
            "subtasks first (mvp_skill.subtasks)."
        )
    return counts.fired[0], counts.fired[1]
