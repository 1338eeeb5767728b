"""Predictivity by layer on clean data, on clean samples of the adversarial size, and adversarial.

Source: Ackermann and Ohmer 2023, who draw clean and adversarial data apart; the samples are ours.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from mvp_skill.carry_over import Carried
from mvp_skill.carry_over_plots import CONTROL_COLOUR
from mvp_skill.errors import BadInput
from mvp_skill.kind_legends import KIND_COLOURS
from mvp_skill.neuron_plots import PREDICTIVITY, boxes, kind_panels
from mvp_skill.plots import CHANCE_COLOUR

CLEAN, SAMPLE, ADVERSARIAL = "clean", "clean sample of that size", "adversarial"
Found = Mapping[tuple[str, str], Carried]
"""(kind, task) to the predictivities of its neurons."""


def means_over_tasks(found: Found, kind: str) -> dict[str, Tensor]:
    """Predictivity of each neuron on three kinds of data, mean over seeds, then tasks.

    The sample is the first one drawn: a mean over draws would be tamer than any adversarial set.

        returns   CLEAN, SAMPLE, ADVERSARIAL to [layer, neuron]
        raises    BadInput if there is no task of the kind
    """
    of_kind = [one for (name, _), one in found.items() if name == kind]
    if not of_kind:
        raise BadInput(f"There is no task of {kind} to take a mean of; score one first.")
    rows = [(one.clean, one.control[:, 0], one.adversarial) for one in of_kind]
    means = [[pred.double().mean(dim=0) for pred in row] for row in rows]  # [layer, neuron] each
    three = (torch.stack(column).mean(dim=0).float() for column in zip(*means, strict=True))
    return dict(zip((CLEAN, SAMPLE, ADVERSARIAL), three, strict=True))


def most_by_chance(found: Found, kind: str) -> float:
    """The largest such mean of any neuron on adversarial data, under any permuted labels.

    NaN without permutations.
    """
    nulls = [one.null.mean(dim=0) for (name, _), one in found.items() if name == kind]
    mean = torch.stack(nulls).mean(dim=0)  # [permutation, layer, neuron]
    return mean.max().item() if mean.numel() else float("nan")


def layer_box_panels(found: Found) -> Figure:
    """Box plots of all neurons of each layer, three side by side, a panel per kind.

    Whiskers go to the extremes; dashed, `most_by_chance`.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    figure, panels = kind_panels(kinds, 7.6, 2.7)
    for kind, ax in panels.items():
        colours = ("white", CONTROL_COLOUR, KIND_COLOURS[kind])
        _draw_layers(ax, means_over_tasks(found, kind), colours, most_by_chance(found, kind))
    figure.axes[-1].set_xlabel("layer")
    figure.supylabel(f"{PREDICTIVITY},\nmean over tasks")
    return figure


def _draw_layers(
    ax: Axes, preds: Mapping[str, Tensor], colours: Sequence[str], by_chance: float
) -> None:
    """Three boxes per layer, one of each of three [layer, neuron]."""
    layers = np.arange(len(preds[CLEAN])) + 1
    patches = []
    for number, ((name, pred), colour) in enumerate(zip(preds.items(), colours, strict=True)):
        boxes(ax, pred, layers + (number - 1) * 0.26, 0.21, colour)
        patches.append(Patch(fc=colour, ec="black", label=name))
    look = {"color": CHANCE_COLOUR, "ls": "--", "lw": 1.5}
    bar = ax.axhline(by_chance, label="adversarial, most by chance", **look)
    handles = [*patches, bar]
    ax.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set_xticks(layers)
    ax.set_xlim(0.5, layers[-1] + 0.5)
    ax.grid(axis="x", visible=False)
