"""Figures: one function each, tidy data in, `ax` in and out; only `save_figure` writes.

The same method has the same colour in every figure. Accuracies are drawn from 0 to 1 with a dashed
line at the constant guess, and with 95 % Wilson intervals, which need the number of examples.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.legends import colour, in_order
from mvp_skill.legends import name as name  # what notebooks call plots.name
from mvp_skill.look import LOOK
from mvp_skill.metrics import wilson_interval

if TYPE_CHECKING:
    from pandas import DataFrame

METRIC_NAMES = {"clean_acc": "clean", "robust_acc": "under attack"}
CHANCE_COLOUR = "#777777"
# Ways to read the label at a mask (random words are grey), and the steps of an attack.
READING_COLOURS = {"one template": "#56B4E9", "pooled": "#D55E00", "random words": CHANCE_COLOUR}
STEP_COLOURS = {
    "the review itself": "#000000",
    "a word deleted": "#56B4E9",
    "a word exchanged": "#E69F00",
}
MARKERS = "osD^vP"


def style() -> None:
    """The look of all figures; called once, in the first cell of a notebook."""
    plt.rcParams |= LOOK


def accuracies(frame: "DataFrame", ax: Axes | None = None, chance: float | None = None) -> Axes:
    """Clean and robust accuracy of each method, as points with their intervals.

    frame    one row per method and metric: method, metric (clean_acc or robust_acc), value, n; and,
             where there is one, `reported`, the paper's value, drawn as an open marker
    chance   accuracy of the constant guess
    raises   BadInput if columns are missing or a method has several values (average seeds before)
    """
    ax = axes_for(frame, ax, "method", "metric", "value", "n")
    if frame.duplicated(["method", "metric"]).any():
        raise BadInput("accuracies needs one row per method and metric; average over seeds before.")
    metrics = [metric for metric in METRIC_NAMES if metric in set(frame["metric"])]
    methods = in_order(frame["method"])
    for index, method in enumerate(methods):
        rows = (
            frame[frame["method"] == method].set_index("metric").reindex(metrics).dropna(how="all")
        )
        places = _dodged(rows.index, metrics, index, len(methods))
        _draw_points(ax, places, rows, method, MARKERS[index % len(MARKERS)])
    ax.set_xticks(range(len(metrics)), [METRIC_NAMES[metric] for metric in metrics])
    ax.set_xlim(-0.5, len(metrics) - 0.5)
    _accuracy_axis(ax, chance)
    ax.set_ylabel("accuracy (95 % interval)")
    ax.legend(frameon=False)
    return ax


def training_curves(
    frame: "DataFrame", ax: Axes | None = None, chance: float | None = None
) -> Axes:
    """Validation accuracy over training, one line per method, its best evaluation marked.

    frame   rows of `TrainLog.to_frame()` with a column method: n_examples, clean_acc
    """
    ax = axes_for(frame, ax, "method", "n_examples", "clean_acc")
    for method in in_order(frame["method"]):
        rows = frame[frame["method"] == method].sort_values("n_examples")
        look = {"color": colour(method), "label": name(method)}
        ax.plot(rows["n_examples"], rows["clean_acc"], marker=".", **look)
        best = rows.iloc[int(np.argmax(rows["clean_acc"]))]
        ax.plot(best["n_examples"], best["clean_acc"], "o", mfc="none", ms=11, color=colour(method))
    _accuracy_axis(ax, chance)
    ax.set_xlabel("training examples seen")
    ax.set_ylabel("clean accuracy on validation")
    ax.legend(frameon=False)
    return ax


def query_histogram(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """How many queries the attack took per example that it attacked; medians dashed.

    frame   attack logs (`AttackLog.to_frame()`) with a column method: outcome, n_queries
    """
    ax = axes_for(frame, ax, "method", "outcome", "n_queries")
    attacked = frame[frame["outcome"].isin(["succeeded", "failed"])]
    _histograms(ax, attacked, "n_queries")
    ax.set_xlabel("queries per attacked example")
    ax.set_ylabel("examples")
    return ax


def zero_shot(frame: "DataFrame", ax: Axes | None = None, chance: float | None = None) -> Axes:
    """Accuracy of each way to read the label before any tuning, with its interval.

    frame    one row per reading: reading (its name), kind (a key of READING_COLOURS), clean_acc, n;
             several rows of one name are drawn as dots on one line, without intervals
    chance   accuracy of the constant guess
    """
    ax = axes_for(frame, ax, "reading", "kind", "clean_acc", "n")
    names = list(dict.fromkeys(frame["reading"]))
    for place, reading in enumerate(names):
        rows = frame[frame["reading"] == reading]
        values = rows["clean_acc"].to_numpy(float)
        look = {"color": READING_COLOURS[rows["kind"].iloc[0]], "ls": "none"}
        if len(rows) > 1:
            ax.plot(values, [place] * len(rows), marker="o", ms=6, alpha=0.6, **look)
        else:
            low, high = _interval(values[0], rows["n"].iloc[0])
            errors = [[values[0] - low], [high - values[0]]]
            ax.errorbar(values, [place], xerr=errors, marker="o", ms=8, capsize=4, **look)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    if chance is not None:
        ax.axvline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
        ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    ax.set_xlabel("clean accuracy before tuning (95 % interval)")
    return ax


def queries(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """One attack, query by query: what the victim still gives the right label.

    frame   one row per query: query (1, 2, ...), step (a key of STEP_COLOURS), probability
    """
    ax = axes_for(frame, ax, "query", "step", "probability")
    ax.plot(frame["query"], frame["probability"], color=CHANCE_COLOUR, lw=0.8)
    for step, rows in frame.groupby("step", sort=False):
        look = {"color": STEP_COLOURS[step], "marker": "o", "ls": "none", "zorder": 3}
        ax.plot(rows["query"], rows["probability"], label=step, **look)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("query")
    ax.set_ylabel("probability of the right label")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def save_figure(file_name: str, folder: str | Path, figure: Figure | None = None) -> list[Path]:
    """Write the figure (the current one if None) as PNG and PDF; returns both paths.

    No date goes into the files, so that the same data give the same bytes.
    """
    figure = figure or plt.gcf()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
    paths = [folder / f"{file_name}.{kind}" for kind in undated]
    for path, metadata in zip(paths, undated.values(), strict=True):
        figure.savefig(path, metadata=metadata, bbox_inches="tight")
    return paths


def axes_for(frame: "DataFrame", ax: Axes | None, *columns: str) -> Axes:
    """The axes to draw on, new ones if there are none; BadInput if the table lacks a column."""
    check_table(frame, *columns)
    return plt.subplots()[1] if ax is None else ax


def _dodged(metrics: list[str], order: list[str], index: int, count: int) -> np.ndarray:
    """Places on the x axis: one unit per metric, methods side by side around it."""
    return np.array([order.index(m) for m in metrics]) + (index - (count - 1) / 2) * 0.6 / count


def _draw_points(ax: Axes, places: np.ndarray, rows: "DataFrame", method: str, marker: str) -> None:
    values, counts = rows["value"].to_numpy(float), rows["n"].to_numpy(int)
    ends = [_interval(v, n) for v, n in zip(values, counts, strict=True)]
    below, above = values - [low for low, _ in ends], [high for _, high in ends] - values
    errors = np.clip([below, above], 0, None)
    look = {"color": colour(method), "marker": marker, "markersize": 8}
    ax.errorbar(places, values, errors, ls="none", capsize=4, label=name(method), **look)
    if "reported" in rows and rows["reported"].notna().any():
        label = f"{name(method)}, paper"
        ax.plot(places + 0.06, rows["reported"], ls="none", mfc="none", label=label, **look)


def _interval(share: float, n: int) -> tuple[float, float]:
    return wilson_interval(round(share * n), int(n))


def _histograms(ax: Axes, frame: "DataFrame", column: str) -> None:
    """One outline per method over common bins."""
    bins = np.histogram_bin_edges(frame[column].to_numpy(float), bins=20)
    for method in in_order(frame["method"]):
        values = frame.loc[frame["method"] == method, column].to_numpy(float)
        look = {"color": colour(method), "lw": 2}
        label = f"{name(method)} (n = {len(values)})"
        ax.hist(values, bins, histtype="step", label=label, **look)
        ax.axvline(float(np.median(values)), ls="--", color=colour(method))
    ax.yaxis.get_major_locator().set_params(integer=True)
    if len(frame):
        ax.legend(frameon=False)


def _accuracy_axis(ax: Axes, chance: float | None) -> None:
    ax.set_ylim(0, 1)
    for drawn in (*ax.lines, *ax.collections):
        drawn.set_clip_on(False)  # a marker at 0 or 1 stays whole
    if chance is not None:
        ax.axhline(chance, ls="--", color=CHANCE_COLOUR, lw=1.5, label="constant guess")
