"""At which prompt positions neurons predict: where the best ones are, and how good each place is.

RoBERTa's position 0 is the mask that the class is read from: the place closest to the answer. How
much of what neurons tell is told there only?
"""

import torch
from torch import Tensor

from mvp_skill.neuron_counts import FiringCounts
from mvp_skill.neurons import (
    balanced_neuron_accuracy,
    best_prompt,
    neuron_accuracy,
    predictivity,
)
from mvp_skill.skill_neurons import skill_neurons


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


def without_position_0(counts: FiringCounts, fraction: float) -> dict[str, float]:
    """What the neurons of a model tell without prompt position 0, as a row of a table.

    fraction   of all neurons of the model: its top
    returns    the best predictivity with and without it, and the share of the top neurons that are
               among the top without it, too
    raises     BadInput if there is no other position
    """
    both = [best_prompt(neuron_accuracy(c)) for c in (counts, counts.without_mask_position())]
    tops = [skill_neurons(best.predictivity, fraction, per="model") for best in both]
    best, other = (found.predictivity.max().item() for found in both)
    shared = (tops[0] & tops[1]).sum().item() / tops[0].sum().item()
    return {
        "best neuron, all positions": best,
        "without position 0": other,
        "top neurons in both": shared,
    }
