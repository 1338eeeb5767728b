"""Figures of how alike soft prompts are."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mvp_skill.checks import check_table
from mvp_skill.pair_maps import pair_map, square
from mvp_skill.prompt_similarity import PAIRS
from mvp_skill.prompt_transfer_plots import colour_by_type, type_legend
from mvp_skill.type_legends import TASK_TYPES, type_of

if TYPE_CHECKING:
    from pandas import DataFrame

SERIES_COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#009E73")
PAIR_LABELS = {
    "same task": "same task,\nother seed",
    "same type": "same type,\nother task",
    "other type": "other type",
}
FIRST_ROW_COLOUR = "#D55E00"
MOST_WITH_NUMBERS = 12


def similarity_map(frame: "DataFrame", measure: str, ax: Axes | None = None) -> Axes:
    """Heat map of all pairs of soft prompts, ordered by type; ticks have the colour of the type.

    frame   `similarities(...)` of one backbone: first, second, first_task, second_task, `measure`.
            A prompt with itself is left blank
    """
    check_table(frame, "first", "second", "first_task", "second_task", measure)
    tasks = dict(zip(frame["first"], frame["first_task"], strict=True))
    tasks |= dict(zip(frame["second"], frame["second_task"], strict=True))
    names = sorted(tasks, key=lambda name: (_place(tasks[name]), name))
    cells = square(frame, names, measure)
    if ax is None:
        size = max(4.2, 1.8 + 0.42 * len(names))  # room for the labels of a few, too
        ax = plt.subplots(figsize=(size + 0.8, size))[1]
    shown = cells.round(2) + 0.0 if len(names) <= MOST_WITH_NUMBERS else None  # no "-0.00"
    numbers = {"annot": shown, "fmt": ".2f", "annot_kws": {"size": 8}}
    look = {"square": True, "vmin": min(0.0, frame[measure].min())}
    pair_map(ax, cells, cbar_kws={"label": measure.replace("_", " ")}, **numbers, **look)
    ax.tick_params(axis="x", rotation=90)
    types = {name: type_of(task) for name, task in tasks.items()}
    colour_by_type([*ax.get_xticklabels(), *ax.get_yticklabels()], types)
    type_legend(ax, list(tasks.values()))
    return ax


def similarity_bars(frame: "DataFrame", measure: str, ax: Axes | None = None) -> Axes:
    """Mean similarity by kind of pair as bars, one per series, with a dot for every pair.

    frame   a row per pair of prompts: pair (one of PAIRS), series (what the colours tell apart),
            `measure`
    """
    check_table(frame, "pair", "series", measure)
    ax = plt.subplots(figsize=(6.8, 4.0))[1] if ax is None else ax
    pairs = [pair for pair in PAIRS if pair in set(frame["pair"])]
    all_series = list(dict.fromkeys(frame["series"]))
    width = 0.8 / len(all_series)
    generator = np.random.default_rng(0)  # spreads the dots; the same picture each time
    for place, series in enumerate(all_series):
        colour = SERIES_COLOURS[place % len(SERIES_COLOURS)]
        for x, pair in enumerate(pairs):
            chosen = frame[(frame["series"] == series) & (frame["pair"] == pair)]
            values = chosen[measure].to_numpy(float)
            if not len(values):
                continue
            at = x + (place - (len(all_series) - 1) / 2) * width
            label = series if pair == _first_pair(frame, series, pairs) else None
            ax.bar(at, values.mean(), 0.85 * width, color=colour, alpha=0.55, label=label)
            spread = at + generator.uniform(-0.25, 0.25, len(values)) * width
            ax.plot(spread, values, "o", ms=2.5, color="black", alpha=0.7, ls="none")
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(range(len(pairs)), [PAIR_LABELS[pair] for pair in pairs])
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(measure.replace("_", " "))
    ax.legend(frameon=False)
    return ax


def row_norms(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Length of every row of every soft prompt, a thin line each, on a logarithmic axis.

    frame   a row per row of a prompt: name, row (0, 1, …), norm
    """
    check_table(frame, "name", "row", "norm")
    ax = plt.subplots(figsize=(6.8, 3.4))[1] if ax is None else ax
    for _, rows in frame.groupby("name"):
        ax.plot(rows["row"], rows["norm"], lw=0.7, alpha=0.6, color=SERIES_COLOURS[0])
    first = frame[frame["row"] == 0]
    ax.plot(first["row"], first["norm"], "o", ms=5, color=FIRST_ROW_COLOUR, label="row 0", zorder=3)
    ax.set_yscale("log")
    ax.set_xlabel("row of the table")
    ax.set_ylabel("norm")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _first_pair(frame: "DataFrame", series: str, pairs: list[str]) -> str:
    there = set(frame.loc[frame["series"] == series, "pair"])
    return next(pair for pair in pairs if pair in there)


def _place(task: str) -> int:
    """Of the task's type among TASK_TYPES; types of their own come last."""
    return TASK_TYPES.index(type_of(task)) if type_of(task) in TASK_TYPES else len(TASK_TYPES)
