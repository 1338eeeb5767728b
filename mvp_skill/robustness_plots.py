"""The main table as a figure: a panel per task, a point per victim, clean and under each attack."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.legends import colour, name
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.study_tables import ATTACK_NAMES

if TYPE_CHECKING:
    from pandas import DataFrame

MARKERS = "osD^vPX*"
ACROSS = 3  # panels in a row
FEW_NAMES = 4  # of attacks, which fit under a panel in the usual size
SPAN = 0.76  # of one unit of the x axis, for the victims side by side


def robustness_by_task(found: "DataFrame", chance: Mapping[str, float] | None = None) -> Figure:
    """Accuracy of each victim on clean text and under each attack, a panel per task.

    found    `study_tables.cells(rows)`: task, method, attack, value, low, high
    chance   task to accuracy of the constant guess, where one is to be drawn
    raises   BadInput if columns or rows are missing, or a victim has two values under one attack
             (several backbones or variants: draw them apart)
    """
    check_table(found, "task", "method", "attack", "value", "low", "high")
    if found.duplicated(["task", "method", "attack"]).any():
        raise BadInput("A victim has several values under one attack; draw its variants apart.")
    tasks, victims = (list(dict.fromkeys(found[column])) for column in ("task", "method"))
    down, across = -(-len(tasks) // ACROSS), min(ACROSS, len(tasks))
    width, height = 3.0 + (5.0 if across == 1 else 3.6) * across, 0.5 + 3.3 * down
    # By hand: the constrained layout gives up on two rows with a legend beside them. And not
    # layout="none", for which the style's layout comes back once the figure has been saved.
    by_hand = PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True)
    figure, axes = plt.subplots(
        down, across, figsize=(width, height), sharey=True, squeeze=False, layout=by_hand
    )
    inner = {"left": 0.8 / width, "right": 1 - 2.3 / width}
    inner |= {"bottom": 0.55 / height, "top": 1 - 0.35 / height}
    figure.subplots_adjust(**inner, wspace=0.08, hspace=0.28)
    for ax, task in zip(axes.flat, tasks, strict=False):
        _panel(ax, found[found["task"] == task], victims, (chance or {}).get(task))
        ax.set_title(task)
    for ax in axes.flat[len(tasks) :]:
        ax.remove()
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (95 % interval)")
    drawn = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in figure.axes]
    handles = {text: handle for pairs in drawn for handle, text in pairs}
    figure.legend(
        handles.values(),
        handles,
        frameon=False,
        loc="center left",
        bbox_to_anchor=(inner["right"], 0.5),
    )
    return figure


def _panel(ax: Axes, rows: "DataFrame", victims: list[str], chance: float | None) -> None:
    attacks = list(dict.fromkeys(rows["attack"]))
    if chance is not None:
        ax.axhline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
    for index, victim in enumerate(victims):
        own = rows[rows["method"] == victim]
        dodge = (index - (len(victims) - 1) / 2) * SPAN / len(victims)
        places = np.array([attacks.index(attack) for attack in own["attack"]]) + dodge
        ends = own[["low", "high"]].to_numpy(float).T  # [end, attack]
        errors = np.clip(np.abs(ends - own["value"].to_numpy(float)), 0, None)
        look = {"color": colour(victim), "marker": MARKERS[index % len(MARKERS)], "markersize": 6}
        look |= {"ls": "none", "capsize": 2.5, "elinewidth": 1.2, "clip_on": False}
        ax.errorbar(places, own["value"], errors, label=name(victim), **look)
    for edge in range(1, len(attacks)):
        ax.axvline(edge - 0.5, color="0.85", lw=1)
    ax.grid(False, axis="x")
    names = [ATTACK_NAMES.get(attack, attack).replace(" (", "\n(") for attack in attacks]
    size = "medium" if len(names) <= FEW_NAMES else "small"
    ax.set_xticks(range(len(names)), names, fontsize=size)
    ax.set_xlim(-0.5, len(attacks) - 0.5)
    ax.set_ylim(0, 1)
