"""What chance alone gives: predictivity under permuted labels, and how far a neuron is above it.

Predictivity is a maximum over prompt positions, so it is above one half without any signal, and the
further the fewer examples there are. The same maximum over labels that were permuted says how far.
The labels are permuted as they are: their numbers, the data and all correlations between neurons
and between positions stay.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import FiringCounts
from mvp_skill.neurons import neuron_accuracy, predictivity


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
