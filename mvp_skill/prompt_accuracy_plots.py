"""Figures of accuracies of prompt-tuned models, with what guessing would score."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mvp_skill.checks import check_table
from mvp_skill.kind_legends import KIND_COLOURS, KIND_MARKERS, KIND_NAMES
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.prompt_transfer_plots import colour_by_type

if TYPE_CHECKING:
    from pandas import DataFrame

APART = 0.26
"""Between the kinds of one task, where tasks are 1 apart."""


def accuracy_by_task(
    means: "DataFrame",
    seeds: "DataFrame",
    ax: Axes | None = None,
    chance: float | None = None,
) -> Axes:
    """Mean accuracy of each kind on each task with its interval; a small dot for every seed.

    A short dashed line is the majority rate of a task; an open marker is a row that is flagged.
    Ticks have the colour of the task's type.

        means    kind, task, mean, low, high, majority_acc, flagged (`prompt_accuracy.over_seeds`)
        seeds    kind, task, acc (`prompt_accuracy.per_seed`)
        chance   draws a dotted line there
    """
    check_table(means, "kind", "task", "mean", "low", "high", "majority_acc", "flagged")
    check_table(seeds, "kind", "task", "acc")
    tasks = list(dict.fromkeys(means["task"]))
    ax = plt.subplots(figsize=(max(6.4, 2.2 + 0.95 * len(tasks)), 4.2))[1] if ax is None else ax
    kinds = list(dict.fromkeys(means["kind"]))
    for place, kind in enumerate(kinds):
        shift = (place - (len(kinds) - 1) / 2) * APART
        _points(ax, means[means["kind"] == kind], tasks, shift)
        own = seeds[seeds["kind"] == kind]
        at = np.array([tasks.index(task) for task in own["task"]], dtype=float) + shift + 0.07
        ax.plot(at, own["acc"], ".", ms=4, color="black", alpha=0.6, ls="none", zorder=4)
    for row in means.drop_duplicates("task").itertuples():
        x, name = tasks.index(row.task), "majority rate" if row.task == tasks[0] else None
        ends, look = [x - 0.4, x + 0.4], {"ls": "--", "lw": 1.8, "color": CHANCE_COLOUR}
        ax.plot(ends, [row.majority_acc] * 2, label=name, **look)
    if chance is not None:
        ax.axhline(chance, ls=":", lw=1.5, color="black", label="chance")
    ax.set_xticks(range(len(tasks)), tasks, rotation=30, ha="right", rotation_mode="anchor")
    colour_by_type(ax.get_xticklabels())
    ax.set_xlim(-0.6, len(tasks) - 0.4)
    ax.set_ylim(0, 1.02)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("accuracy (95 % interval)")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def tuning_curves(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Validation accuracy over training examples, a line per soft prompt, for one kind.

    The evaluation whose table was kept has a ring; lines have the colour of the task.

        frame   a row per evaluation: task, seed, n_examples, clean_acc
    """
    check_table(frame, "task", "seed", "n_examples", "clean_acc")
    ax = plt.subplots(figsize=(6.8, 3.8))[1] if ax is None else ax
    colours = plt.get_cmap("tab10").colors
    for place, (task, rows) in enumerate(frame.groupby("task", sort=False)):
        for number, (_, line) in enumerate(rows.groupby("seed", sort=False)):
            look = {"color": colours[place % len(colours)], "lw": 1.3, "marker": ".", "ms": 5}
            name = task if number == 0 else None
            ax.plot(line["n_examples"], line["clean_acc"], label=name, **look)
            best = line.iloc[int(np.argmax(line["clean_acc"]))]
            ring = {"mfc": "none", "ms": 10, "color": colours[place % len(colours)]}
            ax.plot(best["n_examples"], best["clean_acc"], "o", clip_on=False, **ring)
    ax.set_ylim(0, 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("training examples seen")
    ax.set_ylabel("accuracy on validation")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _points(ax: Axes, rows: "DataFrame", tasks: list[str], shift: float) -> None:
    """The means of one kind with their intervals, shifted to the side."""
    kind = rows["kind"].iloc[0]
    look = {"color": KIND_COLOURS[kind], "marker": KIND_MARKERS[kind], "ms": 8, "capsize": 4}
    label = KIND_NAMES[kind]
    for row in rows.itertuples():
        errors = np.clip([[row.mean - row.low], [row.high - row.mean]], 0, None)
        fill = {"mfc": "white"} if row.flagged else {}
        at = tasks.index(row.task) + shift
        bar = ax.errorbar([at], [row.mean], errors, ls="none", label=label, **look, **fill)
        for drawn in (bar.lines[0], *bar.lines[1]):
            drawn.set_clip_on(False)  # a marker at 0 or 1 stays whole
        label = None
