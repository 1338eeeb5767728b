"""What chance alone gives: predictivity under permuted labels, and how far a neuron is above it.

Predictivity is a maximum over prompt positions, so it is above one half without any signal, and the
further the fewer examples there are. The same maximum over labels that were permuted says how far.
The labels are permuted as they are: their numbers, the data and all correlations between neurons
and between positions stay.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import FiringCounts
from mvp_skill.neurons import neuron_accuracy, predictivity
from mvp_skill.skill_neurons import n_selected


def null_predictivity(
    counts: FiringCounts, accuracy: Callable[[FiringCounts], Tensor] = neuron_accuracy
) -> Tensor:
    """The predictivity of each neuron for each permutation of the labels.

    accuracy   `neuron_accuracy` or `balanced_neuron_accuracy`
    returns    [permutation, layer, neuron], the largest over prompt positions
    raises     BadInput if no permutation was counted
    """
    if not len(counts.null_fired):
        raise BadInput("No permutation was counted; call count_firings with n_permutations > 0.")
    return torch.stack([predictivity(accuracy(null)).amax(dim=1) for null in counts.nulls])


def above_null(pred: Tensor, null: Tensor) -> Tensor:
    """Predictivity minus its mean over permutations, [layer, neuron].

    pred   [layer, neuron]
    null   [permutation, layer, neuron]; of several seeds the mean over seeds, as of `pred`
    """
    return pred - null.mean(dim=0)


def p_values(pred: Tensor, null: Tensor) -> Tensor:
    """How often chance gives a neuron as much: (1 + permutations at least as good) / (1 + all).

    Of this neuron alone: of many neurons without signal, one in twenty has p <= 0.05.

        pred      [layer, neuron]
        null      [permutation, layer, neuron]
        returns   [layer, neuron], at least 1 / (1 + permutations)
    """
    return (1 + (null >= pred).sum(dim=0)) / (1 + len(null))


def family_p_values(pred: Tensor, null: Tensor) -> Tensor:
    """How often chance gives *any* neuron of the model as much (Westfall and Young's maximum).

    A neuron with p <= 0.05 here is better than chance however many were looked at.

        pred      [layer, neuron]
        null      [permutation, layer, neuron]
        returns   [layer, neuron], at least 1 / (1 + permutations)
    """
    return p_values(pred, null.amax(dim=(1, 2), keepdim=True))


class BestNeurons(NamedTuple):
    """The top neurons of a model, beside what the top ones of permuted labels have."""

    predictivity: float
    """Mean over the top neurons of each layer."""
    null: float
    """The same of each permutation (its own top neurons), mean over permutations."""
    p: float
    """How often a permutation gives as much: (1 + as many as do) / (1 + all)."""

    @property
    def above_null(self) -> float:
        """What choosing the best of many neurons and positions cannot explain."""
        return self.predictivity - self.null


def best_neurons(pred: Tensor, null: Tensor, fraction: float) -> BestNeurons:
    """How predictive the best neurons are: the top fraction of each layer.

    Who reads neurons at more places chooses from more, and finds better ones by chance alone. The
    permutations choose in the same way, so that ways to read may be compared by `above_null`.

        pred       [layer, neuron]
        null       [permutation, layer, neuron], as `null_predictivity` gives it
        fraction   in [0, 1], rounded down to whole neurons
        raises     BadInput if that is no neuron
    """
    k = n_selected(pred.shape[1], fraction)
    if not k:
        raise BadInput(
            f"A fraction of {fraction} of {pred.shape[1]} neurons is none; ask for more."
        )
    of_true, *of_null = [best.topk(k, dim=1).values.mean().item() for best in (pred, *null)]
    p = (1 + sum(value >= of_true for value in of_null)) / (1 + len(of_null))
    return BestNeurons(of_true, sum(of_null) / len(of_null), p)
