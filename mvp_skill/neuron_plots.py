"""Figures of predictivity: how much single neurons tell, in which layers and at which positions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from torch import Tensor

from mvp_skill.checks import check_table
from mvp_skill.kind_legends import KIND_COLOURS, KIND_NAMES
from mvp_skill.plots import CHANCE_COLOUR
from mvp_skill.prompt_similarity import PAIRS
from mvp_skill.prompt_transfer_plots import OTHER_TYPE, colour_by_type, type_legend
from mvp_skill.type_legends import TYPE_COLOURS, type_of

if TYPE_CHECKING:
    from pandas import DataFrame

PREDICTIVITY = "predictivity of a neuron"


def predictivity_boxes(
    preds: Mapping[str, Tensor],
    nulls: Mapping[str, Tensor],
    rows: "DataFrame",
    ax: Axes | None = None,
) -> Axes:
    """Box plot of all neurons per task, the null beside it in grey; whiskers to the extremes.

    A diamond is the model's accuracy, a dash the share of the commonest class.

        preds   task to [layer, neuron]
        nulls   task to [permutation, layer, neuron]
        rows    of one kind: task, acc, majority_rate
    """
    check_table(rows, "task", "acc", "majority_rate")
    ax = plt.subplots(figsize=(max(7.0, 2.6 + 0.95 * len(preds)), 4.2))[1] if ax is None else ax
    places = np.arange(len(preds))
    for values, at, colour, alpha in (
        (preds, places - 0.19, "white", None),
        (nulls, places + 0.19, CHANCE_COLOUR, 0.4),
    ):
        drawn = boxes(ax, [found.flatten() for found in values.values()], at, 0.3, colour)
        for box, task in zip(drawn, values, strict=True):
            box.set(alpha=alpha, edgecolor=TYPE_COLOURS.get(type_of(task), OTHER_TYPE))
    for place, task in enumerate(preds):
        row = rows[rows["task"] == task].iloc[0]
        ax.plot(place - 0.19, row["acc"], "D", color="black", ms=6, zorder=4, clip_on=False)
        ends = (place - 0.38, place + 0.38)
        ax.hlines(row["majority_rate"], *ends, color="black", ls=":", lw=1.5, zorder=4)
    ax.set_xticks(places, list(preds), rotation=30, ha="right", rotation_mode="anchor")
    colour_by_type(ax.get_xticklabels())
    ax.set_ylim(0.45, 1.0)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(PREDICTIVITY)
    type_legend(ax, preds)
    first = ax.get_legend()
    ax.legend(handles=_box_handles(), frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    if first is not None:
        ax.add_artist(first)
    return ax


def layer_boxes(
    preds: Mapping[str, Tensor], ax: Axes | None = None, bar: Mapping[str, float] | None = None
) -> Axes:
    """Box plot of the neurons of each layer, a box per kind; a line at the top of each null.

    preds   kind to predictivities, mean over tasks, [layer, neuron]
    bar     kind to the largest predictivity that chance gives
    """
    ax = plt.subplots(figsize=(6.8, 3.6))[1] if ax is None else ax
    width = 0.8 / len(preds)
    for number, (kind, pred) in enumerate(preds.items()):
        at = np.arange(len(pred)) + 1 + (number - (len(preds) - 1) / 2) * width
        boxes(ax, pred, at, 0.8 * width, KIND_COLOURS[kind])
        if bar:
            look = {"color": KIND_COLOURS[kind], "ls": "--", "lw": 1.5}
            ax.axhline(bar[kind], label=f"{KIND_NAMES[kind]}, most by chance", **look)
    n_layers = max(map(len, preds.values()))
    ax.set_xticks(range(1, n_layers + 1))
    ax.grid(axis="x", visible=False)
    ax.set_xlabel("layer")
    ax.set_ylabel(f"{PREDICTIVITY},\nmean over tasks")
    patches = [Patch(color=KIND_COLOURS[kind], label=KIND_NAMES[kind]) for kind in preds]
    handles = [*patches, *ax.get_legend_handles_labels()[0]]
    ax.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def top_histograms(frame: "DataFrame") -> Figure:
    """Histogram of the top neurons' predictivities, a panel per task, kinds side by side.

    frame   a row per kind, task and bin: kind, task, low, high, n_neurons
    """
    check_table(frame, "kind", "task", "low", "high", "n_neurons")
    tasks, kinds = list(dict.fromkeys(frame["task"])), list(dict.fromkeys(frame["kind"]))
    across = min(4, len(tasks))
    down = -(-len(tasks) // across)
    size = (max(4.2, 2.6 * across), 1.0 + 2.0 * down)
    figure, axes = plt.subplots(down, across, sharex=True, sharey=True, squeeze=False, figsize=size)
    for ax, task in zip(axes.flat, tasks, strict=False):
        for number, kind in enumerate(kinds):
            rows = frame[(frame["task"] == task) & (frame["kind"] == kind)]
            width = (rows["high"] - rows["low"]).to_numpy() / (len(kinds) + 0.2)
            at = rows["low"].to_numpy() + (number + 0.1) * width
            look = {"width": width, "color": KIND_COLOURS[kind], "align": "edge"}
            ax.bar(at, rows["n_neurons"], label=KIND_NAMES[kind], **look)
        ax.set_title(task, fontsize=10, color=TYPE_COLOURS.get(type_of(task), OTHER_TYPE))
        ax.set_yscale("symlog", linthresh=1)
        ax.set_ylim(bottom=0)
        ax.set_xlim(0.5, 1)
    for ax in axes.flat[len(tasks) :]:
        ax.set_visible(False)
    figure.supxlabel(PREDICTIVITY)
    figure.supylabel("neurons (logarithmic)")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside upper center", ncols=len(kinds))
    return figure


def share_map(cells: "DataFrame", across: str, ax: Axes | None = None) -> Axes:
    """Heat map of shares in per cent: tasks down, layers or prompt positions across.

    cells    index tasks, columns numbers, values shares in [0, 1] that add up to 1 in a row
    across   what the columns are
    """
    import seaborn  # takes most of a second to import

    if ax is None:
        size = (2.6 + 0.42 * cells.shape[1], 1.3 + 0.4 * len(cells))
        ax = plt.subplots(figsize=size)[1]
    look = {"cmap": "viridis", "vmin": 0, "vmax": max(0.3, float(cells.to_numpy().max()))}
    texts = np.array([[f"{100 * v:.0f}" for v in row] for row in cells.to_numpy()])
    shown = {"annot": texts, "annot_kws": {"size": 8}} if cells.shape[1] <= 16 else {}
    look |= {"cbar": False} if shown else {"cbar_kws": {"label": "share"}}
    seaborn.heatmap(cells, ax=ax, fmt="", **shown, **look)
    ax.grid(False)
    ax.set_xlabel(across)
    ax.set_ylabel("")
    ax.tick_params(axis="x", rotation=0)
    ax.tick_params(axis="y", rotation=0)
    colour_by_type(ax.get_yticklabels())
    return ax


def position_lines(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Predictivity over prompt positions, a line per series.

    frame   series, kind, position, predictivity; series of a kind differ in their line style
    """
    check_table(frame, "series", "kind", "position", "predictivity")
    ax = plt.subplots(figsize=(6.8, 3.4))[1] if ax is None else ax
    styles: dict[str, int] = {}
    for series, rows in frame.groupby("series", sort=False):
        kind = rows["kind"].iloc[0]
        style = ("-", "--", ":")[styles.setdefault(kind, 0) % 3]
        styles[kind] += 1
        look = {"color": KIND_COLOURS[kind], "ls": style, "marker": ".", "label": series}
        ax.plot(rows["position"], rows["predictivity"], **look)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("prompt position")
    ax.set_ylabel("predictivity (balanced)")
    ax.set_ylim(0.45, 1)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def pair_dots(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Rank correlation of every two soft prompts: kinds of pairs across, a dot each, means as bars.

    frame   a row per pair of soft prompts: kind, pair (one of PAIRS), rho
    """
    check_table(frame, "kind", "pair", "rho")
    ax = plt.subplots(figsize=(6.8, 3.8))[1] if ax is None else ax
    kinds, there = list(dict.fromkeys(frame["kind"])), set(frame["pair"])
    pairs = [pair for pair in PAIRS if pair in there]
    generator = np.random.default_rng(0)  # spreads the dots; the same picture each time
    for (kind, pair), rows in frame.groupby(["kind", "pair"], sort=False):
        at = pairs.index(pair) + (kinds.index(kind) - (len(kinds) - 1) / 2) * 0.36
        spread = at + generator.uniform(-0.1, 0.1, len(rows))
        ax.plot(spread, rows["rho"], ".", color=KIND_COLOURS[kind], alpha=0.6, ls="none")
        ax.hlines(rows["rho"].mean(), at - 0.15, at + 0.15, color="black", lw=2, zorder=3)
    ax.set_xticks(range(len(pairs)), pairs)
    ax.set_xlim(-0.5, len(pairs) - 0.5)
    ax.axhline(0, color="black", lw=0.8)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("Spearman's rho of two soft prompts")
    handles = [Patch(color=KIND_COLOURS[kind], label=KIND_NAMES[kind]) for kind in kinds]
    ax.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def boxes(
    ax: Axes, values: Sequence[Tensor] | Tensor, at: np.ndarray, width: float, colour: str
) -> list[PathPatch]:
    """Box plots side by side, whiskers from the smallest value to the largest; the ticks stay.

    values    of each box, such as [layer, neuron]
    at        where each box stands
    returns   the boxes
    """
    drawn = ax.boxplot(
        [found.numpy() for found in values],
        positions=at,
        widths=width,
        whis=(0, 100),
        patch_artist=True,
        manage_ticks=False,
        medianprops={"color": "black"},
    )
    for box in drawn["boxes"]:
        box.set_facecolor(colour)
    return drawn["boxes"]


def kind_panels(kinds: list[str], width: float, height: float) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per kind, one below the other, and the panels by kind."""
    figure, axes = plt.subplots(len(kinds), 1, figsize=(width, height * len(kinds)), squeeze=False)
    for ax, kind in zip(axes[:, 0], kinds, strict=True):
        ax.set_title(KIND_NAMES[kind], loc="right")
    return figure, dict(zip(kinds, axes[:, 0], strict=True))


def shares_by_number(rows: Mapping[str, Tensor], first: int = 0) -> "DataFrame":
    """Shares of each task as a table: index tasks, columns `first`, `first` + 1, ..."""
    wide = pandas.DataFrame({task: found.tolist() for task, found in rows.items()}).T
    return wide.set_axis(range(first, first + wide.shape[1]), axis=1)


def _box_handles() -> list:
    from matplotlib.lines import Line2D

    return [
        Patch(facecolor="white", edgecolor="black", label="all neurons"),
        Patch(facecolor=CHANCE_COLOUR, alpha=0.4, label="labels permuted"),
        Line2D([], [], marker="D", ls="none", color="black", label="model's accuracy"),
        Line2D([], [], ls=":", color="black", label="commonest class"),
    ]
