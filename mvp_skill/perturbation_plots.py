"""Figures of adversarial training: what moving word embeddings does, and what training on it buys.

Tidy data in, a figure out, in the colours of `plots`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.legends import colour, name
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.study_tables import ATTACK_NAMES

if TYPE_CHECKING:
    from pandas import DataFrame

ATTACK_MARKERS = "sDv^PX"  # a filled circle is clean accuracy


def search(losses: "DataFrame", shifts: "DataFrame") -> Figure:
    """The search for a perturbation: what it does to the loss, and which tokens it moves.

    losses   one row per method and place on the line from delta_0 to delta_1: method, share (0 is
             delta_0, 1 is delta_1), loss (above 0; the axis is logarithmic)
    shifts   one row per method and token, in the order of the text: method, token, norm
    raises   BadInput if rows or columns are missing
    """
    check_table(losses, "method", "share", "loss")
    check_table(shifts, "method", "token", "norm")
    methods = list(dict.fromkeys(shifts["method"]))
    size = (11, 0.6 + 2.5 * len(methods))
    figure, axes = plt.subplot_mosaic(
        [["line", method] for method in methods], figsize=size, width_ratios=[1, 2.2]
    )
    _loss_lines(axes["line"], losses)
    for method in methods:
        _token_bars(axes[method], shifts[shifts["method"] == method], method)
    return figure


def _loss_lines(ax: Axes, losses: "DataFrame") -> None:
    for method, rows in losses.groupby("method", sort=False):
        look = {"color": colour(method), "marker": ".", "label": name(method)}
        ax.plot(rows["share"], rows["loss"], **look)
    ax.set_yscale("log")
    ax.set_xticks([0, 1], ["start\n(random)", "after the step"])
    ax.set_ylabel("loss")
    ax.legend(frameon=False)


def _token_bars(ax: Axes, rows: "DataFrame", method: str) -> None:
    """A bar per token; dashed where all would stand if they shared the norm equally."""
    norms = rows["norm"].to_numpy(float)
    places = np.arange(len(norms))
    ax.bar(places, norms, color=colour(method), width=0.8)
    even = float(np.sqrt(np.mean(norms**2)))
    ax.axhline(even, ls="--", color=CHANCE_COLOUR, lw=1.5, label="equal shares")
    ax.set_xticks(places, rows["token"], rotation=90, fontsize=min(10, 420 / len(norms)))
    ax.set_xlim(-0.6, len(norms) - 0.4)
    ax.grid(False, axis="x")
    ax.set_ylabel("norm of the shift")
    ax.set_title(name(method), fontsize="medium", loc="left")
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98))  # above the bars


def clean_and_robust(found: "DataFrame", chance: Mapping[str, float] | None = None) -> Figure:
    """Each victim as a line from its robust to its clean accuracy, a panel per task.

    found    `study_tables.cells(rows)`: task, method, attack, value, low, high; drawn with the
             intervals
    chance   task to accuracy of the constant guess, where one is to be drawn
    raises   BadInput if rows or columns are missing, or a victim has two values under one attack
    """
    check_table(found, "task", "method", "attack", "value", "low", "high")
    if found.duplicated(["task", "method", "attack"]).any():
        raise BadInput("A victim has several values under one attack; draw its variants apart.")
    tasks, victims = (list(dict.fromkeys(found[column])) for column in ("task", "method"))
    attacks = [attack for attack in dict.fromkeys(found["attack"]) if attack != "none"]
    size = (2.2 + 4.4 * len(tasks), 1.3 + 0.42 * len(victims))
    figure, axes = plt.subplots(1, len(tasks), figsize=size, sharey=True, squeeze=False)
    for ax, task in zip(axes[0], tasks, strict=True):
        if chance and task in chance:
            ax.axvline(chance[task], ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
        for row, victim in enumerate(victims):
            own = found[(found["task"] == task) & (found["method"] == victim)]
            _victim_line(ax, row, own, attacks, colour(victim))
        ax.set_title(task)
        ax.set_xlim(0, 1)
        ax.set_xlabel("accuracy (95 % interval)")
    axes[0][0].set_yticks(range(len(victims)), [name(victim) for victim in victims])
    axes[0][0].set_ylim(len(victims) - 0.5, -0.5)
    _legend(figure, attacks, bool(chance))
    return figure


def _victim_line(ax: Axes, row: int, own: "DataFrame", attacks: list[str], shade: str) -> None:
    """Clean accuracy a little above the middle of the row, attacks below: intervals stay apart."""
    if len(own):
        ax.plot([own["value"].min(), own["value"].max()], [row, row], color=shade, lw=1, alpha=0.5)
    for cell in own.itertuples():
        below = -1 if cell.attack == "none" else 1 + attacks.index(cell.attack)
        errors = [[max(0, cell.value - cell.low)], [max(0, cell.high - cell.value)]]
        look = {"color": shade, "capsize": 2.5, "elinewidth": 1.2, "clip_on": False, "ms": 6}
        look["marker"] = _marker(cell.attack, attacks)
        ax.errorbar([cell.value], [row + 0.12 * below], xerr=errors, **look)


def _marker(attack: str, attacks: list[str]) -> str:
    return "o" if attack == "none" else ATTACK_MARKERS[attacks.index(attack) % len(ATTACK_MARKERS)]


def _legend(figure: Figure, attacks: list[str], with_chance: bool) -> None:
    labels, handles = [], []
    for attack in ("none", *attacks):
        look = {"color": "black", "ls": "none", "marker": _marker(attack, attacks)}
        handles.append(plt.Line2D([], [], **look))
        labels.append(ATTACK_NAMES.get(attack, attack))
    if with_chance:
        handles.append(plt.Line2D([], [], color=CHANCE_COLOUR, ls="--", lw=1.5))
        labels.append("constant guess")
    figure.legend(handles, labels, frameon=False, loc="outside right upper")
