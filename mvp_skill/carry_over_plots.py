"""Figures of skill neurons on adversarial data, beside clean samples of that size and chance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mvp_skill.carry_over import Carried, Compared
from mvp_skill.checks import check_table
from mvp_skill.kind_legends import KIND_COLOURS, KIND_MARKERS, KIND_NAMES
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.skill_neurons import skill_neurons

if TYPE_CHECKING:
    from pandas import DataFrame

CONTROL_COLOUR = "#009E73"
Panels = Mapping[tuple[str, str], Compared]
"""(kind, task) to what was compared."""


def panel_grid(found: Mapping[tuple[str, str], object]) -> tuple[Figure, dict]:
    """A panel per kind (down) and task (across): the figure, and (kind, task) to its axes."""
    kinds, tasks = (list(dict.fromkeys(key[i] for key in found)) for i in (0, 1))
    size = (1.2 + 2.9 * len(tasks), 0.9 + 2.4 * len(kinds))
    look = {"sharex": True, "sharey": True, "squeeze": False, "figsize": size}
    figure, axes = plt.subplots(len(kinds), len(tasks), **look)
    panels = {(k, t): axes[i, j] for i, k in enumerate(kinds) for j, t in enumerate(tasks)}
    for (kind, task), ax in panels.items():
        ax.set_title(f"{KIND_NAMES[kind]}, {task}", fontsize=10)
    return figure, panels


def precision_panels(found: Panels, fractions: list[float]) -> Figure:
    """Share of the top neurons found again, over how many are taken: a panel per kind and task.

    Adversarial data as a line with an error bar over seeds (standard deviation), clean samples and
    permuted labels as bands from the smallest to the largest draw; dashed, what rankings with
    nothing in common would share.

        found       statistics `precisions` [..., fraction]
    """
    return _curves(found, 100 * np.array(fractions), "top n % of each layer", "found again", True)


def layer_panels(found: Panels, n_layers: int) -> Figure:
    """Spearman's rho of clean and adversarial predictivity over layers; as `precision_panels`.

    found   statistics `correlation_of_layers` [..., layer]
    """
    figure = _curves(found, np.arange(1, n_layers + 1), "layer", "Spearman's rho", False)
    figure.axes[0].set_xticks(range(1, n_layers + 1))
    return figure


def histogram_panels(found: Mapping[tuple[str, str], Carried], fraction: float) -> Figure:
    """Adversarial predictivity of the clean skill neurons and of all others, bins of 0.05.

    Dashed: the same skill neurons on clean samples of the adversarial size. Neurons of all seeds
    together, as shares.
    """
    figure, panels = panel_grid(found)
    edges = np.linspace(0.5, 1, 11)
    for key, ax in panels.items():
        one, colour = found[key], KIND_COLOURS[key[0]]
        skill = _selected(one.clean, fraction)
        again = skill[:, None].expand_as(one.control)
        for values, look in (
            (one.adversarial[skill], {"color": colour, "alpha": 0.8, "label": "skill neurons"}),
            (one.adversarial[~skill], _line(CHANCE_COLOUR, "-", "all other neurons")),
            (one.control[again], _line(CONTROL_COLOUR, "--", "skill neurons, clean samples")),
        ):
            numbers = values.double().numpy().round(7)
            ax.hist(
                numbers, edges.round(7), weights=np.full(len(numbers), 1 / len(numbers)), **look
            )
        ax.set_xlim(0.5, 1)
    figure.supxlabel("predictivity on adversarial data")
    figure.supylabel("share of the neurons")
    return _with_legend(figure, ncols=3)


def auc_points(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """AUC of telling clean skill neurons by another ranking: tasks across, kinds side by side.

    A filled marker per kind for adversarial data (bar: standard deviation over seeds), an open one
    with means of the set itself as thresholds; a green bar from the smallest to the largest clean
    sample, a grey one for permuted labels.

        frame   kind, task, auc, sd, own, null_low, null_high, control_low, control_high
    """
    check_table(frame, "kind", "task", "auc", "sd", "own", "null_low", "control_low")
    tasks, kinds = list(dict.fromkeys(frame["task"])), list(dict.fromkeys(frame["kind"]))
    ax = plt.subplots(figsize=(4.2 + 1.7 * len(tasks), 3.8))[1] if ax is None else ax
    for row in frame.itertuples():
        at = tasks.index(row.task) + (kinds.index(row.kind) - (len(kinds) - 1) / 2) * 0.3
        first = row.task == tasks[0]
        for low, high, colour, label in (
            (row.control_low, row.control_high, CONTROL_COLOUR, "clean samples of that size"),
            (row.null_low, row.null_high, CHANCE_COLOUR, "labels permuted"),
        ):
            shown = label if first and row.kind == kinds[0] else None
            look = {"lw": 9, "alpha": 0.45, "color": colour, "label": shown}
            ax.vlines(at, low, high, **look)
        look = {"color": KIND_COLOURS[row.kind], "marker": KIND_MARKERS[row.kind], "ms": 8}
        name = KIND_NAMES[row.kind] if first else None
        sd = row.sd if row.sd == row.sd else None
        ax.errorbar(at, row.auc, sd, capsize=3, label=name, ls="none", zorder=4, **look)
        own = f"{name}, own thresholds" if first else None
        ax.plot(at + 0.1, row.own, mfc="none", label=own, ls="none", zorder=4, **look)
    ax.axhline(0.5, ls="--", lw=1.5, color=CHANCE_COLOUR)
    ax.set_xticks(range(len(tasks)), tasks)
    ax.set_xlim(-0.6, len(tasks) - 0.4)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("AUC of being a clean skill neuron")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _curves(found: Panels, x: np.ndarray, across: str, up: str, diagonal: bool) -> Figure:
    figure, panels = panel_grid(found)
    for key, ax in panels.items():
        one, kind = found[key], key[0]
        for values, colour, label in (
            (one.control, CONTROL_COLOUR, "clean samples of that size"),
            (one.null, CHANCE_COLOUR, "labels permuted"),
        ):
            ends = values.amin(dim=0).numpy(), values.amax(dim=0).numpy()
            ax.fill_between(x, *ends, color=colour, alpha=0.35, lw=0, label=label)
        several = len(one.adversarial) > 1
        sd = one.adversarial.std(dim=0).numpy() if several else None
        look = {"color": KIND_COLOURS[kind], "marker": KIND_MARKERS[kind], "ms": 4}
        ax.errorbar(x, one.mean.numpy(), sd, capsize=2, label="adversarial data", **look)
        level = x / 100 if diagonal else 0 * x
        ax.plot(x, level, ls="--", lw=1.2, color="black", label="nothing in common")
    figure.supxlabel(across)
    figure.supylabel(up)
    return _with_legend(figure, ncols=4)


def _with_legend(figure: Figure, ncols: int) -> Figure:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside upper center", ncols=ncols)
    return figure


def _selected(clean: Tensor, fraction: float) -> Tensor:
    """The skill neurons of each seed, bool [seed, layer, neuron]."""
    return torch.stack([skill_neurons(pred, fraction) for pred in clean])


def _line(colour: str, style: str, label: str) -> dict:
    return {"histtype": "step", "lw": 1.8, "color": colour, "ls": style, "label": label}
