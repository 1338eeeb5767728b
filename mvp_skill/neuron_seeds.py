"""Do the soft prompts of a task's seeds rank neurons alike?

rows = seed_correlations(scores)      # a row per kind, task and pair of seeds
seed_agreement(rows)                  # a number per kind and task
seed_maps(rows)                       # a map of seeds per kind and task

Source: Ackermann and Ohmer 2023, by Spearman's rho over all neurons of a layer, mean over layers.
(Their code returns p-values for correlations, and compares other neurons with one another.)
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.kind_legends import KIND_NAMES
from mvp_skill.neuron_scores import NeuronScores
from mvp_skill.neuron_statistics import rank_correlations
from mvp_skill.pair_maps import pair_map, square
from mvp_skill.prompt_transfer_plots import OTHER_TYPE
from mvp_skill.type_legends import TYPE_COLOURS, type_of

if TYPE_CHECKING:
    from pandas import DataFrame


def seed_correlations(
    scores: Mapping[tuple[str, str], Sequence[NeuronScores]], seeds: Sequence[int | str]
) -> "DataFrame":
    """Spearman's rho of the rankings of every two seeds of a task, mean over layers.

    scores    of `neuron_tables.scores_of`: (kind, task) to the scores of each seed
    seeds     what the seeds are called
    returns   kind, task, first, second (seeds), rho
    """
    rows = []
    for (kind, task), found in scores.items():
        rho = rank_correlations([one.predictivity for one in found])  # [seed, seed]
        for i, j in combinations(range(len(seeds)), 2):
            rows.append([kind, task, seeds[i], seeds[j], rho[i, j].item()])
    return pandas.DataFrame(rows, columns=["kind", "task", "first", "second", "rho"])


def seed_agreement(rows: "DataFrame") -> "DataFrame":
    """Mean, smallest and largest rho over the pairs of seeds of each kind and task.

    rows      of `seed_correlations`
    returns   kind, task, mean, low, high, n_pairs
    """
    found = rows.groupby(["kind", "task"], sort=False)["rho"]
    named = {"mean": "mean", "low": "min", "high": "max", "n_pairs": "size"}
    return found.agg(**named).reset_index()


def seed_maps(rows: "DataFrame") -> Figure:
    """Small heat maps of seeds by seeds, tasks across and kinds down, one colour scale for all.

    rows   of `seed_correlations`; a seed with itself is left blank
    """
    check_table(rows, "kind", "task", "first", "second", "rho")
    kinds, tasks = list(dict.fromkeys(rows["kind"])), list(dict.fromkeys(rows["task"]))
    seeds = list(dict.fromkeys([*rows["first"], *rows["second"]]))
    side = 0.5 + 0.3 * len(seeds)
    size = (0.6 + side * len(tasks), 0.7 + (side + 0.25) * len(kinds))
    figure, axes = plt.subplots(
        len(kinds), len(tasks), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    ends = {"vmin": min(0.0, rows["rho"].min()), "vmax": 1.0}
    for (kind, task), found in rows.groupby(["kind", "task"]):
        ax = axes[kinds.index(kind)][tasks.index(task)]
        _seed_map(ax, square(found, seeds, "rho"), **ends)
    for ax, task in zip(axes[0], tasks, strict=True):
        colour = TYPE_COLOURS.get(type_of(task), OTHER_TYPE)
        ax.set_title(task.replace("_", "\n"), fontsize=8, color=colour)
    for ax, kind in zip(axes[:, 0], kinds, strict=True):
        ax.set_ylabel(f"{KIND_NAMES[kind]}\nseed")
    figure.supxlabel("seed")
    return figure


def _seed_map(ax: Axes, cells: "DataFrame", **ends: float) -> None:
    texts = cells.map(lambda value: "" if value != value else f"{value:.2f}".lstrip("0"))
    numbers = {"annot": texts, "fmt": "", "annot_kws": {"size": 7}}
    pair_map(ax, cells, cbar=False, square=True, **ends, **numbers)
