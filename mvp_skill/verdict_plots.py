"""The oracle's audit as a figure: of the successes of each attack, how many left the label true."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mvp_skill.attack_log import VERDICTS
from mvp_skill.checks import check_table
from mvp_skill.plots import CHANCE_COLOUR

if TYPE_CHECKING:
    from pandas import DataFrame

# Light to dark, so that the order is seen in grey as well; what nobody can tell is grey.
VERDICT_COLOURS = {"kept": "#56B4E9", "changed": "#A33B00", "undecidable": CHANCE_COLOUR}


def verdict_bars(counts: "DataFrame", ax: Axes | None = None) -> Axes:
    """A bar of length 1 per attack, cut into the shares of the verdicts, with the counts in it.

    counts   one row per attack, which the index names: successes kept, changed, undecidable
    raises   BadInput if a column is missing

    An attack without a judged success has no bar.
    """
    check_table(counts, *VERDICTS)
    if ax is None:
        ax = plt.subplots(figsize=(7.5, 1.3 + 0.45 * len(counts)))[1]
    for place, (_, row) in enumerate(counts.iterrows()):
        _bar(ax, place, row[list(VERDICTS)].astype(int).to_dict())
    totals = counts[list(VERDICTS)].sum(axis=1).astype(int)
    names = [f"{name} (n = {n})" for name, n in totals.items()]
    ax.set_yticks(range(len(counts)), names)
    ax.set_ylim(len(counts) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.grid(False, axis="y")
    ax.set_xlabel("share of the successful attacks")
    handles = [plt.Rectangle((0, 0), 1, 1, color=VERDICT_COLOURS[verdict]) for verdict in VERDICTS]
    ax.legend(handles, VERDICTS, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return ax


def _bar(ax: Axes, place: int, found: dict[str, int]) -> None:
    total, left = sum(found.values()), 0.0
    for verdict, count in found.items():
        if count:
            share = count / total
            ax.barh(place, share, left=left, height=0.7, color=VERDICT_COLOURS[verdict])
            shade = "black" if verdict == "kept" else "white"
            ax.text(left + share / 2, place, str(count), ha="center", va="center", color=shade)
            left += share
