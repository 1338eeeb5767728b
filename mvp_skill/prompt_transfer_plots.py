"""Figures of prompt transfer: which task's soft prompt reads which task's texts how well."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text

from mvp_skill.checks import check_table
from mvp_skill.type_legends import TASK_TYPES, TYPE_COLOURS, TYPE_NAMES, type_of

if TYPE_CHECKING:
    from pandas import DataFrame

OTHER_TYPE = "#000000"


def transfer_map(
    means: "DataFrame", ax: Axes | None = None, types: Mapping[str, str] | None = None
) -> Axes:
    """Heat map of transfer in whole per cent: prompt of (down), texts of (across).

    The colour scale is always 0 to 100, so that maps can be compared; a ratio above 1 has the last
    colour. Frames mark a target's own prompt; a line parts the targets without a prompt of theirs.
    Ticks have the colour of the task's type.

        means   `means_of(...)`: source, target, own, mean; a missing mean is a dash
        types   task to type; None for `type_legends`
    """
    import seaborn  # takes most of a second to import

    check_table(means, "source", "target", "own", "mean")
    sources, targets = list(means["source"].unique()), list(means["target"].unique())
    if ax is None:
        size = (2.2 + 0.62 * len(targets), 1.8 + 0.5 * len(sources))
        ax = plt.subplots(figsize=size)[1]
    wide = 100 * means.pivot(index="source", columns="target", values="mean")
    cells = wide.reindex(index=sources, columns=targets)
    texts = np.array([["–" if v != v else f"{v:.0f}" for v in row] for row in cells.to_numpy()])
    look = {"vmin": 0, "vmax": 100, "cmap": "viridis", "square": True, "cbar": False}
    seaborn.heatmap(cells, ax=ax, annot=texts, fmt="", annot_kws={"size": 10}, **look)
    _dashes(ax, cells.to_numpy())
    for row in means[means["own"]].itertuples():
        corner = (targets.index(row.target), sources.index(row.source))
        frame = {"fill": False, "ec": "black", "lw": 2.5, "clip_on": False, "zorder": 5}
        ax.add_patch(Rectangle(corner, 1, 1, **frame))
    with_prompt = [target for target in targets if target in sources]
    if targets[: len(with_prompt)] == with_prompt and 0 < len(with_prompt) < len(targets):
        ax.axvline(len(with_prompt), color="white", lw=4)
    ax.grid(False)  # it would show through a cell without a value
    ax.set_xlabel("texts of")
    ax.set_ylabel("soft prompt of")
    ax.tick_params(axis="x", rotation=40)
    ax.tick_params(axis="y", rotation=0)
    plt.setp(ax.get_xticklabels(), ha="right", rotation_mode="anchor")
    colour_by_type([*ax.get_xticklabels(), *ax.get_yticklabels()], types)
    type_legend(ax, [*sources, *targets], types)
    return ax


def colour_by_type(labels: Iterable[Text], types: Mapping[str, str] | None = None) -> None:
    """Give tick labels, which are names of tasks, the colours of their types."""
    for label in labels:
        label.set_color(_colour(label.get_text(), types))


def type_legend(ax: Axes, tasks: Iterable[str], types: Mapping[str, str] | None = None) -> None:
    """A legend above the axes for the colours of the types that occur."""
    there = {_type(task, types) for task in tasks}
    patches = [
        Patch(color=TYPE_COLOURS[kind], label=TYPE_NAMES[kind])
        for kind in TASK_TYPES
        if kind in there
    ]
    if patches:
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": len(patches)}
        small = {"handlelength": 0.8, "columnspacing": 1.0, "handletextpad": 0.4, "fontsize": 9}
        ax.legend(handles=patches, frameon=False, borderaxespad=0.2, **place, **small)


def _dashes(ax: Axes, cells: np.ndarray) -> None:
    """A dash in each cell without a value: seaborn leaves them without text."""
    for i, j in zip(*np.where(np.isnan(cells)), strict=True):
        ax.text(j + 0.5, i + 0.5, "–", ha="center", va="center", color="#777777", size=10)


def _type(task: str, types: Mapping[str, str] | None) -> str:
    return type_of(task) if types is None else types.get(task, task)


def _colour(task: str, types: Mapping[str, str] | None) -> str:
    return TYPE_COLOURS.get(_type(task, types), OTHER_TYPE)
