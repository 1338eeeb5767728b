"""Figures of the two causes: robust accuracy against random parameters, and without pretraining."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mvp_skill.checks import check_table
from mvp_skill.legends import colour
from mvp_skill.legends import name as method_name
from mvp_skill.plots import CHANCE_COLOUR

if TYPE_CHECKING:
    from pandas import DataFrame

COUNTED_FROM = 10
"""Below it the axis of counts is linear, so that 0 has a place; above it logarithmic."""
NEAR, APART = 0.4, 0.22
"""Decades: counts that are nearer than NEAR are drawn APART from each other."""


def against_random_parameters(frame: "DataFrame", ax: Axes, chance: float | None = None) -> Axes:
    """Robust accuracy of each victim over its number of random parameters.

    Victims with nearly the same number stand side by side around it, in the table's order.

    frame    a row per victim: method, n_random, value, low, high
    chance   accuracy of the constant guess
    raises   BadInput if columns are missing
    """
    check_table(frame, "method", "n_random", "value", "low", "high")
    ax.set_xscale("symlog", linthresh=COUNTED_FROM)
    places = _side_by_side(ax, frame["n_random"].to_numpy(float))
    for place, row in zip(places, frame.itertuples(), strict=True):
        _point(ax, place, row, "o", method_name(row.method))
    decades = np.arange(2, np.ceil(np.log10(max(frame["n_random"].max(), 100))) + 1)
    ax.set_xticks([0, *10**decades])
    ax.set_xlim(-COUNTED_FROM * 0.8, 10 ** decades[-1])
    _share_axis(ax, chance)
    ax.set_xlabel("random parameters")
    return ax


def with_and_without_pretraining(
    frame: "DataFrame", ax: Axes, chance: float | None = None, sides: Sequence[str] = ()
) -> Axes:
    """Robust accuracy (filled) of victims with and without pretraining, and clean accuracy (open).

    frame    a row per victim, side and kind: method (without "_untrained"), side, kind ("clean" or
             "robust"), value, low, high
    sides    the order of the sides; that of the table if empty
    raises   BadInput if columns are missing
    """
    check_table(frame, "method", "side", "kind", "value", "low", "high")
    sides = list(sides or dict.fromkeys(frame["side"]))
    methods = list(dict.fromkeys(frame["method"]))
    for row in frame.itertuples():
        place = sides.index(row.side) + (methods.index(row.method) - (len(methods) - 1) / 2) * 0.2
        robust = row.kind == "robust"
        _point(ax, place, row, "o" if robust else "D", None, filled=robust)
    ax.set_xticks(range(len(sides)), sides)
    ax.set_xlim(-0.5, len(sides) - 0.5)
    look = {"color": CHANCE_COLOUR, "ls": "none", "ms": 8}
    robust = Line2D([], [], marker="o", label="under attack", **look)
    clean = Line2D([], [], marker="D", mfc="white", label="clean", **look)
    place = {"loc": "lower center", "ncols": 2, "columnspacing": 0.6, "handletextpad": 0.1}
    key = ax.legend(handles=[robust, clean], frameon=False, fontsize="small", **place)
    key.set_in_layout(False)  # or the panels shrink to make room for it
    _share_axis(ax, chance)
    return ax


def _side_by_side(ax: Axes, counts: np.ndarray) -> np.ndarray:
    """Places for counts on the axis's scale; those that would overlap move apart."""
    scale = ax.xaxis.get_transform()
    decade = np.diff(scale.transform(np.array([1e3, 1e4])))[0]
    places = scale.transform(counts)
    order = np.argsort(places, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(places[order]) > NEAR * decade) + 1)
    for group in map(np.sort, groups):
        shifts = np.arange(len(group)) - (len(group) - 1) / 2
        places[group] = places[group].mean() + shifts * APART * decade
    return scale.inverted().transform(places)


def _point(
    ax: Axes, place: float, row: Any, marker: str, label: str | None, filled: bool = True
) -> None:
    errors = np.clip([[row.value - row.low], [row.high - row.value]], 0, None)
    look = {"color": colour(row.method), "marker": marker, "ms": 8, "capsize": 3, "ls": "none"}
    look |= {} if filled else {"mfc": "white", "elinewidth": 0.8, "alpha": 0.8}
    ax.errorbar([place], [row.value], errors, label=label, **look)


def _share_axis(ax: Axes, chance: float | None) -> None:
    ax.set_ylim(0, 1)
    for drawn in (*ax.lines, *ax.collections):
        drawn.set_clip_on(False)  # a marker at 0 or 1 stays whole
    if chance is not None:
        ax.axhline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
