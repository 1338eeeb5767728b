"""Figures of ablations: a line per variation, tasks side by side, gains beside them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.gains import Gain
from mvp_skill.legends import colour
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.study_tables import ATTACK_NAMES

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("task", "variation", "method", "attack", "value", "low", "high")


def variations(
    found: "DataFrame", gains: Mapping[str, Gain], chance: Mapping[str, float] | None = None
) -> Figure:
    """Accuracies of each variation on clean text and under attack, and its gain over the reference.

    found    one row per task, variation and attack: COLUMNS; "none" is clean text
    gains    variation to its gain over all tasks, drawn in points; what is missing stays empty
    chance   task to accuracy of the constant guess
    raises   BadInput if columns or rows are missing, or a variation has two values in one place
    """
    check_table(found, *COLUMNS)
    if found.duplicated(["task", "variation", "attack"]).any():
        raise BadInput("A variation has several values in one place; average over seeds before.")
    tasks, names = (list(dict.fromkeys(found[column])) for column in ("task", "variation"))
    size = (2.6 + 2.8 * (len(tasks) + 1), 1.4 + 0.38 * len(names))
    figure, axes = plt.subplots(1, len(tasks) + 1, figsize=size, sharey=True)
    for ax, task in zip(axes, tasks, strict=False):
        _accuracies(ax, found[found["task"] == task], names, (chance or {}).get(task))
        ax.set_title(task)
    _gains(axes[-1], gains, names)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, frameon=False, loc="outside lower center", ncols=len(texts))
    return figure


def _accuracies(ax: Axes, rows: "DataFrame", names: list[str], chance: float | None) -> None:
    attacks = list(dict.fromkeys(rows["attack"]))
    for index, attack in enumerate(attacks):
        own = rows[rows["attack"] == attack]
        places = np.array([names.index(name) for name in own["variation"]], dtype=float)
        places += 0.24 * (index - (len(attacks) - 1) / 2)
        look = {"ls": "none", "capsize": 2.5, "clip_on": False, "ms": 6, "marker": "os^Dv"[index]}
        if attack == "none":
            look["mfc"] = "white"
        label = "clean" if attack == "none" else f"under {ATTACK_NAMES.get(attack, attack)}"
        for method in dict.fromkeys(own["method"]):
            at = (own["method"] == method).to_numpy()
            values = own["value"].to_numpy(float)[at]
            ends = own[["low", "high"]].to_numpy(float).T[:, at]  # [end, variation]
            errors = np.clip(np.abs(ends - values), 0, None)
            look |= {"color": colour(method), "label": None if method != "mvp" else label}
            ax.errorbar(values, places[at], xerr=errors, **look)
    if chance is not None:
        ax.axvline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
    ax.set_xlim(0, 1)
    ax.set_xlabel("accuracy (95 % interval)")


def _gains(ax: Axes, gains: Mapping[str, Gain], names: list[str]) -> None:
    for name, gain in gains.items():
        errors = [[100 * (gain.mean - gain.low)], [100 * (gain.high - gain.mean)]]
        look = {"marker": "o", "capsize": 3, "color": colour("mvp"), "clip_on": False}
        ax.errorbar([100 * gain.mean], [names.index(name)], xerr=errors, **look)
    ax.axvline(0, color=colour("mlp_ft"), lw=1.5)
    ax.set_title("all tasks")
    ax.set_xlabel("points above MLP-FT under attack")
