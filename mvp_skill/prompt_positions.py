"""At which prompt positions neurons predict: where the best ones are, and how good each place is.

RoBERTa's position 0 is the mask that the class is read from: the place closest to the answer. How
much of what neurons tell is told there only?
"""

import torch
from torch import Tensor

from mvp_skill.neuron_counts import FiringCounts
from mvp_skill.neurons import balanced_neuron_accuracy, predictivity


def share_by_position(prompt: Tensor, selected: Tensor, n_prompt: int) -> Tensor:
    """Of the selected neurons, the share whose best position each one is, [prompt].

    prompt     best position of each neuron, [layer, neuron]
    selected   bool [layer, neuron]
    """
    counts = torch.bincount(prompt[selected], minlength=n_prompt)  # [prompt]
    return counts.double() / selected.sum()


def best_by_position(counts: FiringCounts) -> Tensor:
    """The balanced predictivity of the best neuron of each layer at each position.

    returns   [layer, prompt], fp32 in [0.5, 1]
    """
    return predictivity(balanced_neuron_accuracy(counts)).amax(dim=2)


def mean_by_position(counts: FiringCounts, selected: Tensor) -> Tensor:
    """Mean balanced predictivity of selected neurons at each position, [prompt].

    selected   bool [layer, neuron]
    """
    found = predictivity(balanced_neuron_accuracy(counts))  # [layer, prompt, neuron]
    return found.movedim(1, 0)[:, selected].mean(dim=1)  # [prompt]
