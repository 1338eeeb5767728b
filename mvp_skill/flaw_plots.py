"""Figures of what flaws in the released code of Ackermann and Ohmer 2024 do to predictivities."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.plots import CHANCE_COLOUR, MARKERS, axes_for

if TYPE_CHECKING:
    from pandas import DataFrame

WITH, WITHOUT = "#D55E00", "#0072B2"  # a flaw, everywhere in these figures
NULL_COLOURS = (CHANCE_COLOUR, "#000000", "#56B4E9", "#009E73")


def labels_histogram(frame: "DataFrame") -> Figure:
    """Predictivities with right labels and with flattened ones, a panel each.

    Shares of the neurons of a kind, as there are fewer planted ones than others.

        frame    a row per neuron: labels, neurons (what kind), predictivity
        raises   BadInput if columns are missing
    """
    check_table(frame, "labels", "neurons", "predictivity")
    panels, kinds = frame["labels"].unique(), frame["neurons"].unique()
    figure, axes = plt.subplots(1, len(panels), figsize=(9.6, 3.4), sharey=True, squeeze=False)
    edges = np.linspace(0.5, 1, 41)
    for ax, panel in zip(axes[0], panels, strict=True):
        for kind, colour in zip(kinds, (CHANCE_COLOUR, WITHOUT), strict=False):
            own = frame[(frame["labels"] == panel) & (frame["neurons"] == kind)]["predictivity"]
            label = f"{kind} (n = {len(own)})"
            weights = np.full(len(own), 1 / max(len(own), 1))
            ax.hist(own, edges, weights=weights, color=colour, alpha=0.7, label=label)
        ax.set_xlim(0.5, 1)
        ax.set_title(f"{panel} labels")
        ax.set_xlabel("predictivity, best position")
    axes[0, 0].set_ylabel("share of the neurons")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(kinds), frameon=False)
    return figure


def largest_by_chance(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Mean predictivity without signal against the number of examples, a line per series.

    frame    a row per n and series: n, series, predictivity; the series "by package" is drawn as
             open marks without a line
    raises   BadInput if columns are missing
    """
    ax = axes_for(frame, ax, "n", "series", "predictivity")
    lines = [name for name in frame["series"].unique() if name != "by package"]
    for name, colour, marker in zip(lines, NULL_COLOURS, MARKERS, strict=False):
        own = frame[frame["series"] == name].sort_values("n")
        ax.plot(own["n"], own["predictivity"], color=colour, marker=marker, ms=5, label=name)
    package = frame[frame["series"] == "by package"]
    if len(package):
        look = {"ls": "", "marker": "o", "ms": 12, "mfc": "none", "color": WITH}
        ax.plot(package["n"], package["predictivity"], label="by package", **look)
    sizes = sorted(frame["n"].unique())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.minorticks_off()
    ax.axhline(0.5, color=CHANCE_COLOUR, ls="--", lw=1)
    ax.set_xlabel("examples")
    ax.set_ylabel("predictivity without signal")
    ax.legend(frameon=False)
    return ax


def overlap_curves(frame: "DataFrame") -> Figure:
    """Overlap of the top neurons of two rankings with a flaw and without, a panel per case.

    frame    a row per case and fraction: case, fraction, with, without, chance
    raises   BadInput if columns are missing
    """
    check_table(frame, "case", "fraction", "with", "without", "chance")
    cases = frame["case"].unique()
    figure, axes = plt.subplots(1, len(cases), figsize=(9.6, 3.6), sharey=True, squeeze=False)
    for ax, case in zip(axes[0], cases, strict=True):
        own = frame[frame["case"] == case].sort_values("fraction")
        for name, colour, marker in (("with", WITH, "s"), ("without", WITHOUT, "o")):
            label = f"{name} the flaw"
            ax.plot(100 * own["fraction"], own[name], color=colour, marker=marker, label=label)
        ax.plot(100 * own["fraction"], own["chance"], color=CHANCE_COLOUR, ls="--", label="chance")
        ax.set_ylim(-0.02, 1.02)
        ax.set_title(case)
        ax.set_xlabel("top neurons per layer, %")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("overlap, share")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure
