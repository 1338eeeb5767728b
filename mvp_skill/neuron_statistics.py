"""How alike two rankings of neurons are, by predictivity on two data sets, tasks or seeds.

All take predictivities [layer, neuron] and compare neurons of the same layer; what is said of a
model is the mean over its layers. With few examples even rankings of the same data differ: beside
"clean and adversarial" belongs "clean and clean", on samples of the adversarial size
(`subsamples.py`).

Source: task specificity, Wang et al. 2022; overlap, Ackermann and Ohmer 2023; precision and AUC
are ours.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.skill_neurons import skill_neurons

if TYPE_CHECKING:
    from pandas import DataFrame


class Overlap(NamedTuple):
    """Of two selections of neurons, mean over layers."""

    share: float
    """Neurons of the first that are in the second."""
    chance: float
    """The share that a random selection of the second's size would have."""

    @property
    def ratio(self) -> float:
        """How many times as much as chance gives; NaN if the second has no neurons."""
        return self.share / self.chance if self.chance else float("nan")


def overlap(first: Tensor, second: Tensor) -> Overlap:
    """Which share of the selected neurons is selected twice, beside what chance gives.

    first, second   bool [layer, neuron]
    raises          BadInput if shapes differ, or a layer of the first has no selected neuron
    """
    if first.shape != second.shape or not first.any(dim=1).all():
        raise BadInput(
            "An overlap needs two selections of neurons of one model, the first of them with "
            f"neurons in every layer; these are {tuple(first.shape)} and {tuple(second.shape)} "
            f"with at least {int(first.sum(dim=1).min())} and {int(second.sum(dim=1).min())}."
        )
    shares = (first & second).sum(dim=1) / first.sum(dim=1)  # [layer]
    return Overlap(shares.mean().item(), second.double().mean().item())


def precision_curve(truth: Tensor, pred: Tensor, fractions: Sequence[float]) -> list[Overlap]:
    """For each fraction: how many of the top neurons of one ranking are on top of the other.

    The chance is the fraction itself, rounded down to whole neurons per layer.

        truth, pred   predictivities [layer, neuron], such as clean and adversarial
        fractions     each with at least one neuron per layer
    """
    return [overlap(skill_neurons(pred, f), skill_neurons(truth, f)) for f in fractions]


def rank_correlations(predictivities: Sequence[Tensor]) -> Tensor:
    """Spearman's rho of every two rankings, over *all* neurons of a layer, mean over layers.

    Of tasks it is their specificity, of seeds their consistency. Equal values share their mean
    rank. NaN where all neurons of a layer have the same predictivity.

        predictivities   of each task or seed [layer, neuron]
        returns          [task, task], fp64, symmetric, 1 on the diagonal
    """
    return rank_correlations_of_layers(predictivities).mean(dim=0)


def rank_correlations_of_layers(predictivities: Sequence[Tensor]) -> Tensor:
    """Spearman's rho of every two rankings in each layer, [layer, task, task]."""
    ranks = average_ranks(torch.stack(list(predictivities)))  # [task, layer, neuron]
    centred = ranks - ranks.mean(dim=-1, keepdim=True)
    standard = centred / centred.norm(dim=-1, keepdim=True)
    return torch.einsum("tln,sln->lts", standard, standard)


def skill_auc(skill: Tensor, pred: Tensor) -> Tensor:
    """AUC of telling skill neurons from others of their layer by another predictivity, [layer].

    The probability that a random skill neuron (of clean data) has a higher predictivity (on
    adversarial data) than a random other neuron, ties counting half. 0.5 is chance.

        skill    bool [layer, neuron]
        pred     [layer, neuron]
        raises   BadInput if all neurons of a layer, or none, are skill neurons
    """
    n_skill, n_others = skill.sum(dim=1), (~skill).sum(dim=1)  # [layer]
    if not (n_skill * n_others).all():
        raise BadInput("An AUC needs, in every layer, neurons that are selected and others.")
    sums = (average_ranks(pred) * skill).sum(dim=1)  # [layer]
    return (sums - n_skill * (n_skill + 1) / 2) / (n_skill * n_others)


def average_ranks(values: Tensor) -> Tensor:
    """Ranks along the last axis from 1 up, equal values sharing the mean of theirs, fp64."""
    sorted_values = values.sort(dim=-1).values.contiguous()
    below = torch.searchsorted(sorted_values, values.contiguous())
    up_to = torch.searchsorted(sorted_values, values.contiguous(), right=True)
    return (below + up_to + 1).double() / 2


def histogram(pred: Tensor, selected: Tensor | None = None, width: float = 0.05) -> "DataFrame":
    """How many neurons have a predictivity in each bin from 0.5 to 1.

    A bin has its lower end, and the last one both of its ends.

        pred       [layer, neuron]
        selected   bool [layer, neuron]: count only these
        returns    columns low, high, n_neurons
    """
    import numpy as np
    from pandas import DataFrame

    values = pred.flatten() if selected is None else pred[selected]
    edges = np.linspace(0.5, 1, round(0.5 / width) + 1)
    counts, _ = np.histogram(values.double().cpu().numpy().round(7), edges.round(7))
    return DataFrame({"low": edges[:-1], "high": edges[1:], "n_neurons": counts})


def inhibitory_share(
    excitatory: Tensor, constant: Tensor, selected: Tensor | None = None
) -> Tensor:
    """Of the neurons of each layer that are not constant, the share that speaks for class 0.

    A constant neuron speaks for no class. With as many examples of either one, its accuracy is
    exactly one half, and to count it would make it excitatory.

        excitatory, constant   of one prompt, bool [layer, neuron]
        selected               bool [layer, neuron]: of these neurons only
        returns                [layer], fp64; NaN in a layer without such a neuron
    """
    counted = ~constant if selected is None else selected & ~constant
    return (~excitatory & counted).sum(dim=1).double() / counted.sum(dim=1)


def mean_and_sd(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean over seeds, standard deviation (n - 1 in its denominator; NaN of one seed), and n."""
    numbers = torch.as_tensor(values, dtype=torch.float64)
    sd = numbers.std(correction=1).item() if len(numbers) > 1 else float("nan")
    return numbers.mean().item(), sd, len(numbers)
