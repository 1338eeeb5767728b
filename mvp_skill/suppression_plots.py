"""Figures of suppressed and patched neurons: accuracy against the share of neurons."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

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
    for line in ax.lines:
        line.set_clip_on(False)  # a marker at 0 or 1 stays whole
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
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
    side = 2.7 if n_columns == N_COLUMNS else 3.6
    size = (max(side * n_columns, 6.4), 0.9 * side * n_rows + 0.8)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, sharex=True, sharey=True, squeeze=False
    )
    for ax, name in zip(axes.flat, names, strict=False):
        rate_curves(points[points[by] == name], ax, guesses.get(name))
        ax.set_title(name, fontsize=10)
        ax.tick_params(labelsize=9)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax in axes.flat[max(0, len(names) - n_columns) : len(names)]:
        ax.tick_params(labelbottom=True)  # also above an empty place
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy", fontsize=10)
    figure.supxlabel(xlabel, fontsize=10)
    handles = _handles(points)
    n_lines = len(set(LINES) & set(points["which"])) or 1  # a column of the legend per kind
    look = {"frameon": False, "fontsize": 9, "ncols": math.ceil(len(handles) / n_lines)}
    n_empty = n_lines * look["ncols"] - len(handles)
    handles += [Line2D([], [], ls="none", label=" ")] * n_empty  # else columns are evened out
    figure.legend(handles=handles, loc="outside upper center", **look)
    return figure


def _band(ax: Axes, curve: "DataFrame") -> None:
    """One SEM to either side; nothing for a single seed, which has none."""
    mean, sem = curve["mean"].to_numpy(), np.nan_to_num(curve["sem"].to_numpy())
    if sem.any():
        colour = KIND_COLOURS[curve["kind"].iloc[0]]
        ax.fill_between(curve["rate"], mean - sem, mean + sem, color=colour, alpha=0.18, lw=0)


def _handles(points: "DataFrame") -> list[Line2D]:
    """What the legend shows: a line for each curve, each level and the guess."""
    there, kinds = set(points["which"]), set(points["kind"])
    looks: list[tuple[str, dict]] = [
        (
            f"{KIND_NAMES[kind]}, {LINE_NAMES[which]}",
            {"color": KIND_COLOURS[kind], "marker": KIND_MARKERS[kind], "ls": line, "ms": 4},
        )
        for kind in KIND_NAMES
        for which, line in LINES.items()
        if kind in kinds and which in there
    ]
    looks += [
        (LEVEL_NAMES[which], {"color": "black", "ls": line})
        for which, line in LEVELS.items()
        if which in there
    ]
    looks.append(("constant guess", {"color": CHANCE_COLOUR, "ls": "--", "lw": 1}))
    return [Line2D([], [], label=label, **look) for label, look in looks]
