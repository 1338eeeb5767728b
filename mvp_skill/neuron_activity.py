"""How often neurons are active at all: above 0 after the non-linearity.

Suppression sets an activation to 0. For a ReLU unit that is silent most of the time this changes
nothing most of the time; for a GELU unit, which rests slightly below 0, it nearly always changes
something. So what suppression of skill neurons does depends on how often they are active.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mvp_skill.activations import observe


def active_share(prompted: nn.Module, records: Sequence) -> Tensor:
    """Of all examples and prompt positions, the share at which each neuron is above 0.

    records   encoded texts
    returns   [layer, neuron], fp64 in [0, 1]; 0 is a neuron that is never active
    """
    totals: list[Tensor | int] = [0] * len(prompted.ffn)
    n_positions = [0]

    def add(layer: int, activation: Tensor, batch: object) -> None:
        totals[layer] = totals[layer] + (activation > 0).sum(dim=(0, 1))  # [neuron]
        n_positions[0] = activation.shape[1]

    observe(prompted, records, add)
    return torch.stack(totals).double().cpu() / (len(records) * n_positions[0])
