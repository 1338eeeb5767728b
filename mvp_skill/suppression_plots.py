"""Figures of suppressed and patched neurons: accuracy against the share of neurons."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.kind_legends import KIND_COLOURS, KIND_MARKERS, KIND_NAMES
from mvp_skill.plots import CHANCE_COLOUR

if TYPE_CHECKING:
    from pandas import DataFrame

LINES = {"skill": "-", "cross": ":", "random": "--"}
"""`cross` are skill neurons that were ranked on other data than they are suppressed on."""
LINE_NAMES = {"skill": "skill", "cross": "skill, other data", "random": "random"}
LEVELS = {"clean": (0, (1, 1)), "all": "-."}
"""Accuracies that do not depend on a rate: of the clean originals, with all neurons patched."""
LEVEL_NAMES = {"clean": "clean originals", "all": "all neurons patched"}
N_COLUMNS = 4


def rate_curves(points: "DataFrame", ax: Axes | None = None, guess: float | None = None) -> Axes:
    """Accuracy over the rate: skill neurons solid, random ones dashed, a colour per kind of
    backbone.

    points   rows of `right_tables.over_seeds` of one data set: kind, which, rate, mean, sem. The
             row "none" begins both curves; "clean" and "all" are drawn as levels
    guess    accuracy of the constant guess
    raises   BadInput if columns are missing
    """
    check_table(points, "kind", "which", "rate", "mean", "sem")
    ax = plt.subplots()[1] if ax is None else ax
    for kind, of_kind in points.groupby("kind", sort=False):
        look = {"color": KIND_COLOURS[kind]}
        for which, line in LINES.items():
            if which in set(of_kind["which"]):
                curve = of_kind[of_kind["which"].isin(["none", which])].sort_values("rate")
                _band(ax, curve)
                marker = KIND_MARKERS[kind]
                ax.plot(curve["rate"], curve["mean"], line, marker=marker, ms=4, lw=1.8, **look)
        for which, line in LEVELS.items():
            for level in of_kind.loc[of_kind["which"] == which, "mean"]:
                ax.axhline(level, ls=line, lw=1.2, **look)
    ax.set_ylim(0, 1)
    if guess is not None:
        ax.axhline(guess, ls="--", color=CHANCE_COLOUR, lw=1)
    return ax


def curve_panels(
    points: "DataFrame",
    guesses: Mapping[str, float],
    by: str = "data",
    xlabel: str = "suppressed neurons of each layer (%)",
) -> Figure:
    """A panel of `rate_curves` per data set, with one legend for all.

    points    as for `rate_curves`, and a column that parts the panels
    guesses   panel to accuracy of the constant guess
    by        that column
    raises    BadInput if there are no rows
    """
    if points.empty:
        raise BadInput("The curves need rows of `over_seeds`, and there are none.")
    names = list(points[by].unique())
    n_columns = min(len(names), N_COLUMNS)
    n_rows = math.ceil(len(names) / n_columns)
    size = (max(2.7 * n_columns, 5.4), 2.4 * n_rows + 0.7)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for ax, name in zip(axes.flat, names, strict=False):
        rate_curves(points[points[by] == name], ax, guesses.get(name))
        ax.set_title(name, fontsize=10)
        ax.tick_params(labelsize=9)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
        ax.figure.axes[list(axes.flat).index(ax) - n_columns].tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy", fontsize=10)
    figure.supxlabel(xlabel, fontsize=10)
    handles = _handles(points)
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    return figure


def _band(ax: Axes, curve: "DataFrame") -> None:
    """One SEM to either side; nothing for a single seed, which has none."""
    mean, sem = curve["mean"].to_numpy(), np.nan_to_num(curve["sem"].to_numpy())
    if sem.any():
        colour = KIND_COLOURS[curve["kind"].iloc[0]]
        ax.fill_between(curve["rate"], mean - sem, mean + sem, color=colour, alpha=0.18, lw=0)


def _handles(points: "DataFrame") -> list[Line2D]:
    there = set(points["which"])
    handles = [
        Line2D([], [], color=KIND_COLOURS[kind], marker=KIND_MARKERS[kind], ls=line, ms=4)
        for kind in KIND_NAMES
        if kind in set(points["kind"])
        for which, line in LINES.items()
        if which in there
    ]
    labels = [
        f"{KIND_NAMES[kind]}, {LINE_NAMES[which]}"
        for kind in KIND_NAMES
        if kind in set(points["kind"])
        for which in LINES
        if which in there
    ]
    handles += [
        Line2D([], [], color="black", ls=LEVELS[which]) for which in LEVELS if which in there
    ]
    labels += [LEVEL_NAMES[which] for which in LEVELS if which in there]
    handles.append(Line2D([], [], color=CHANCE_COLOUR, ls="--", lw=1))
    for handle, label in zip(handles, [*labels, "constant guess"], strict=True):
        handle.set_label(label)
    return handles
