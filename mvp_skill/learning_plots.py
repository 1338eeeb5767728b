"""Figures of learning curves: accuracy over training examples, and robust over clean accuracy."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from mvp_skill.effective_robustness import Line, log_odds
from mvp_skill.legends import colour, in_order, name
from mvp_skill.plots import CHANCE_COLOUR, axes_for

if TYPE_CHECKING:
    from pandas import DataFrame

TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)


def learning_curves(
    frame: "DataFrame", ax: Axes | None = None, chance: float | None = None
) -> Axes:
    """Clean accuracy over training examples: a point per seed, a line through the means.

    frame    one row per method, training size and seed: method, n_train, seed, clean_acc; a size of
             0, before any training, stands at the left end of the axis
    chance   accuracy of the constant guess
    raises   BadInput if columns or rows are missing
    """
    ax = axes_for(frame, ax, "method", "n_train", "clean_acc")
    for method in in_order(frame["method"]):
        rows = frame[frame["method"] == method]
        over = rows.groupby("n_train")["clean_acc"]
        means, low, high = over.mean(), over.min(), over.max()
        ax.plot(means.index, means, color=colour(method), label=name(method), lw=2)
        ax.fill_between(means.index, low, high, color=colour(method), alpha=0.15, lw=0)
        ax.plot(rows["n_train"], rows["clean_acc"], "o", ms=5, alpha=0.7, color=colour(method))
    if chance is not None:
        ax.axhline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
    sizes = sorted(set(frame["n_train"]))
    ax.set_xscale("symlog", linthresh=min(size for size in sizes if size), base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set_xlim(-1 if sizes[0] == 0 else sizes[0] * 0.9, sizes[-1] * 1.15)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("training examples (0: before training)")
    ax.set_ylabel("clean accuracy on the test split")
    ax.legend(frameon=False, loc="lower right")
    return ax


def robust_over_clean(
    frame: "DataFrame",
    ax: Axes | None = None,
    line: Line | None = None,
    reference: str | None = None,
) -> Axes:
    """Robust over clean accuracy, both as log odds: a point per method, training size and seed.

    frame           method, n_train, clean_acc, robust_acc, n (test examples), n_attacked; larger
                    markers for more training examples
    line, reference  the line through the reference's points, drawn as far as these go
    raises          BadInput if columns or rows are missing
    """
    ax = axes_for(frame, ax, "method", "n_train", "clean_acc", "robust_acc", "n", "n_attacked")
    x, y = (
        log_odds(frame["clean_acc"], frame["n"]),
        log_odds(frame["robust_acc"], frame["n_attacked"]),
    )
    size_of = {size: 30 + 30 * i for i, size in enumerate(sorted(set(frame["n_train"])))}
    for method in in_order(frame["method"]):
        own = (frame["method"] == method).to_numpy()
        areas = [size_of[size] for size in frame.loc[own, "n_train"]]
        look = {"color": colour(method), "label": name(method), "alpha": 0.7, "clip_on": False}
        ax.scatter(x[own], y[own], areas, **look)
        if line is not None and method == reference:
            ends = np.array([x[own].min(), x[own].max()])
            ax.plot(ends, line.at(ends), color=colour(method), lw=2, label=f"line, {name(method)}")
    _percent_ticks(ax.xaxis, x)
    _percent_ticks(ax.yaxis, y)
    ax.set_xlabel("clean accuracy on the test split")
    ax.set_ylabel("robust accuracy")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _percent_ticks(axis, values: np.ndarray) -> None:
    """Shares as labels where log odds are drawn, as far as the values go."""
    low, high = min(values) - 0.4, max(values) + 0.4
    places = [(np.log(share / (1 - share)), share) for share in TICKS]
    shown = [(place, f"{share:g}") for place, share in places if low <= place <= high]
    axis.set_ticks([place for place, _ in shown], [label for _, label in shown])
    axis.axes.set(**{f"{axis.axis_name}lim": (low, high)})
