"""Figures of pruned models, of models tuned in other ways, and of where neurons are read."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from mvp_skill.checks import check_table
from mvp_skill.plots import CHANCE_COLOUR, axes_for

if TYPE_CHECKING:
    from pandas import DataFrame

NEURON_COLOURS = {"skill": "#D55E00", "random": "#0072B2"}
RETUNED_MARKER = "D"
METHOD_NAMES = {"prompt_tuning": "prompt tuning", "bitfit": "BitFit", "adapter": "adapters"}
READING_COLOURS = {"prompt": "#D55E00", "text": "#0072B2"}


def accuracy_by_share(
    frame: "DataFrame", whole: float, ax: Axes | None = None, chance: float | None = None
) -> Axes:
    """Accuracy of pruned models over the share of neurons kept in the pruned layers.

    frame    one row per model: neurons (skill or random), kept (in (0, 1]), clean_acc, and retuned
             (whether its soft prompt was tuned again). Lines join means; several models of one
             kind and share (draws, tasks, seeds) are dots
    whole    accuracy of the model that is not pruned
    chance   that of the constant guess
    """
    check_table(frame, "neurons", "kept", "clean_acc", "retuned")
    ax = plt.subplots(figsize=(8.4, 3.8))[1] if ax is None else ax
    for neurons, colour in NEURON_COLOURS.items():
        rows = frame[frame["neurons"] == neurons]
        once = rows[~rows["retuned"].astype(bool)]
        means = once.groupby("kept")["clean_acc"].mean()
        ax.plot(once["kept"], once["clean_acc"], "o", color=colour, ms=5, alpha=0.35)
        ax.plot(means.index, means, marker="o", ms=7, color=colour, label=f"{neurons} neurons kept")
        again = rows[rows["retuned"].astype(bool)]
        if len(again):
            look = {"ls": "none", "mfc": "none", "mew": 2, "ms": 10, "color": colour}
            label = f"{neurons}, soft prompt re-tuned"
            ax.plot(again["kept"], again["clean_acc"], marker=RETUNED_MARKER, label=label, **look)
    ax.axhline(whole, color="black", lw=1.2, label="not pruned")
    _guess(ax, chance)
    ax.set_xscale("log")
    shares = sorted(frame["kept"].unique())
    ax.set_xticks(shares, [f"{100 * share:g} %" for share in shares])
    ax.minorticks_off()
    ax.set_ylim(0, 1.03)
    ax.set_xlabel("neurons kept in each pruned layer")
    ax.set_ylabel("clean accuracy")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def suppression_by_method(frame: "DataFrame", chance: float | None = None) -> list[Axes]:
    """Accuracy with neurons suppressed, one panel for each way the model was tuned.

    frame    one row per model and selection: method (a key of METHOD_NAMES), neurons (skill or
             random), fraction (suppressed, per layer; 0 for none, in both), clean_acc
    returns  the panels
    """
    check_table(frame, "method", "neurons", "fraction", "clean_acc")
    methods = [method for method in METHOD_NAMES if method in set(frame["method"])]
    width = 3.1 * len(methods) + 0.8
    _, panels = plt.subplots(
        1, len(methods), sharey=True, figsize=(width, 3.6), squeeze=False, layout="constrained"
    )
    for ax, method in zip(panels[0], methods, strict=True):
        for neurons, colour in NEURON_COLOURS.items():
            rows = frame[(frame["method"] == method) & (frame["neurons"] == neurons)]
            groups = rows.groupby("fraction")["clean_acc"]
            middle, low, high = groups.mean(), groups.min(), groups.max()
            ax.fill_between(middle.index, low, high, color=colour, alpha=0.15, lw=0)
            ax.plot(middle.index, middle, marker="o", color=colour, label=f"{neurons} neurons")
        _guess(ax, chance)
        shares = sorted(frame["fraction"].unique())
        ax.set_xticks(shares, [f"{100 * share:g}" for share in shares])
        ax.set_title(METHOD_NAMES[method], fontsize=12)
        ax.set_xlabel("suppressed per layer (%)")
    panels[0][0].set_ylim(0, 1.03)
    panels[0][0].set_ylabel("clean accuracy")
    panels[0][0].legend(frameon=False, loc="lower left", fontsize=10)
    return list(panels[0])


def predictivity_by_reading(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """How predictive the best neurons are, by where they are read, and what chance gives there.

    frame    one row per reading (and task and seed): reading (its name), place (prompt or text),
             predictivity, null. A line joins the two
    """
    names = list(dict.fromkeys(frame["reading"])) if "reading" in frame else []
    if ax is None:
        ax = plt.subplots(figsize=(7.4, 1.4 + 0.48 * len(names)))[1]
    ax = axes_for(frame, ax, "reading", "place", "predictivity", "null")
    for row in frame.itertuples():
        place, colour = names.index(row.reading), READING_COLOURS[row.place]
        ax.plot([row.null, row.predictivity], [place] * 2, color=colour, lw=2.5, alpha=0.6)
        ax.plot(row.null, place, "|", color=CHANCE_COLOUR, ms=14, mew=2)
        ax.plot(row.predictivity, place, "o", color=colour, ms=8)
    ax.plot([], [], "|", color=CHANCE_COLOUR, ms=14, mew=2, label="labels permuted")
    for kind, colour in READING_COLOURS.items():
        ax.plot([], [], "o", color=colour, label=f"read at the {kind}")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0.5, 1.01)
    ax.set_xlabel("predictivity of the best neurons, mean")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=3, fontsize=10)
    return ax


def _guess(ax: Axes, chance: float | None) -> None:
    if chance is not None:
        ax.axhline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
