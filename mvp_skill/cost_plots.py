"""Figures of costs: each victim's beside what it reads, and how cost grows with templates."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.legends import colour
from mvp_skill.plots import CHANCE_COLOUR

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("task", "name", "method", "step", "tokens", "answer")
MARKERS = "osD^vP"


def costs(found: "DataFrame", templates: "DataFrame") -> Figure:
    """Left: a line per victim. Right: MVP's training step against its number of templates.

    found       one row per task and victim: COLUMNS; step, tokens and answer over those of MLP-FT.
                Filled marks are training steps, small open ones the tokens they read, crosses
                answers
    templates   one row per task and number of templates: task, n, step, answer; may be empty
    raises      BadInput if columns or rows are missing
    """
    check_table(found, *COLUMNS)
    if len(templates):
        check_table(templates, "task", "n", "step", "answer")
    names = list(dict.fromkeys(found["name"]))
    size = (11, 1.6 + 0.36 * len(names))
    figure, (left, right) = plt.subplots(1, 2, figsize=size, width_ratios=[3, 2])
    _victims(left, found, names)
    _templates(right, templates)
    figure.legend(
        *left.get_legend_handles_labels(), frameon=False, loc="outside lower left", ncols=3
    )
    return figure


def _victims(ax: Axes, found: "DataFrame", names: list[str]) -> None:
    tasks = list(dict.fromkeys(found["task"]))
    for index, task in enumerate(tasks):
        rows = found[found["task"] == task]
        places = np.array([names.index(name) for name in rows["name"]], dtype=float)
        places += 0.3 * (index - (len(tasks) - 1) / 2)
        colours = [colour(method) for method in rows["method"]]
        marker = MARKERS[index % len(MARKERS)]
        ax.scatter(rows["step"], places, c=colours, marker=marker, s=45, zorder=3)
        ax.scatter([], [], c="black", marker=marker, s=45, label=f"training step, {task}")
        look = {"edgecolors": "black", "facecolors": "none", "marker": marker, "s": 20}
        ax.scatter(rows["tokens"], places, zorder=4, label=f"tokens read, {task}", **look)
        label = f"an answer, {task}"
        ax.scatter(rows["answer"], places, c="black", marker="x+*12"[index % 5], label=label)
    ax.axvline(1, color=CHANCE_COLOUR, ls="--", lw=1.5)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("times MLP-FT")


def _templates(ax: Axes, templates: "DataFrame") -> None:
    if templates.empty:
        return ax.set_axis_off()
    for index, (task, rows) in enumerate(templates.groupby("task", sort=False)):
        rows, marker = rows.sort_values("n"), MARKERS[index % len(MARKERS)]
        look = {"marker": marker, "color": colour("mvp")}
        ax.plot(rows["n"], rows["step"], label=f"training step, {task}", **look)
        look |= {"color": "black", "ls": ":", "mfc": "white"}
        ax.plot(rows["n"], rows["answer"], label=f"an answer, {task}", **look)
    ends = np.array([1, templates["n"].max()])
    ax.plot(ends, ends, color=CHANCE_COLOUR, ls="--", lw=1.5, label="as many as templates")
    ax.set_xticks(range(1, int(ends[1]) + 1))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("templates")
    ax.set_ylabel("times MLP-FT")
    ax.legend(frameon=False, fontsize="small")
