"""Predictivity on many small samples of one split, in one forward pass of each example.

With few examples even rankings from the same kind of text differ. How far is seen from samples of
clean text that have as many examples of each class as an adversarial set: neurons that are still on
top there, but not on adversarial text, are lost to the text and not to the small number.
"""

import torch
from torch import Tensor, nn

from mvp_skill.activations import observe
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.neuron_counts import BaselineActivation
from mvp_skill.neurons import predictivity
from mvp_skill.subsamples import samples_like


def sample_predictivities(
    prompted: nn.Module,
    split: Split,
    like: Split,
    thresholds: BaselineActivation,
    n_draws: int = 20,
    seed: int = 0,
) -> Tensor:
    """The predictivity of each neuron on random samples of a split.

    Each sample is without replacement and has as many examples of each class as `like`; different
    samples share examples.

        thresholds   baseline activations, at the positions where neurons are read
        returns      [draw, layer, neuron], at the best position of that sample, fp32 in [0.5, 1]
        raises       BadInput if a class has too few examples, there are not two classes, or
                     neurons are read at positions whose number differs from text to text
    """
    if thresholds.positions == "all":
        raise BadInput("Samples are read at the prompt's positions, or at those of a pooled text.")
    samples = sampled_numbers(split, like, n_draws, seed)  # bool [draw, batch]
    if set(split.labels.tolist()) != {0, 1}:
        raise BadInput("A neuron tells two classes apart; samples are of classes 0 and 1.")
    signs = torch.where(split.labels == 1, 1.0, -1.0)  # [batch]
    device = prompted.ffn[0].weight.device
    least = thresholds.mean.to(device)  # [layer, prompt, neuron]
    weights = (samples * signs).to(device)  # [draw, batch]
    n_zero = (samples & (split.labels == 0)).sum(dim=1).to(device)[:, None]  # [draw, 1]
    totals = torch.zeros(len(least), n_draws, least[0].numel(), device=device)

    def add(layer: int, activation: Tensor, batch: object) -> None:
        fired = (activation > least[layer]).float().flatten(1)  # [batch, prompt * neuron]
        totals[layer].addmm_(weights[:, torch.as_tensor(batch, device=device)], fired)

    observe(prompted, split.records, add, thresholds.positions)
    # Right are examples of class 1 that fire and examples of class 0 that do not.
    right = totals + n_zero  # [layer, draw, prompt * neuron]
    accuracy = right.double() / samples.sum(dim=1).to(device)[:, None]
    best = predictivity(accuracy).unflatten(2, least[0].shape).amax(dim=2)  # [layer, draw, neuron]
    return best.movedim(1, 0).cpu()


def sampled_numbers(split: Split, like: Split, n_draws: int, seed: int = 0) -> Tensor:
    """Which examples are in each sample of `samples_like`, bool [draw, batch]."""
    numbers = Split(list(range(len(split.labels))), split.labels)
    chosen = torch.zeros(n_draws, len(split.labels), dtype=torch.bool)
    for row, sample in zip(chosen, samples_like(like, numbers, n_draws, seed), strict=True):
        row[torch.tensor(sample.records)] = True
    return chosen
