"""Which tasks rank neurons alike: a tree of tasks, and a heat map in the order of its leaves.

tree = task_tree(pairs)                    # pairs of `neuron_tables.task_pairs`
specificity_map(pairs, study.scale.tasks)  # the tree above the map

Source: the heat map, Wang et al. 2022 and Ackermann and Ohmer 2023; the tree is ours.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import seaborn
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.prompt_transfer_plots import colour_by_type, type_legend

if TYPE_CHECKING:
    from pandas import DataFrame


class Tree(NamedTuple):
    """Tasks joined two by two, the most alike first."""

    leaves: list[str]
    """Tasks, from left to right: no branches cross."""
    steps: np.ndarray
    """SciPy's linkage matrix of the tasks in the order of `names`, [step, 4]."""
    names: list[str]


def task_tree(pairs: "DataFrame", measure: str = "rho") -> Tree:
    """Average linkage on the distance 1 - rho: two groups are as far apart as their tasks on mean.

    pairs    a row per pair of tasks: first, second, `measure`; every pair once
    raises   BadInput for fewer than two tasks, or a pair that is missing or has no number
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    alike = _square(pairs, measure)
    distances = squareform(np.clip(1 - alike.to_numpy(), 0, None), checks=False)
    steps = linkage(distances, method="average", optimal_ordering=True)
    names = list(alike.index)
    return Tree([names[place] for place in leaves_list(steps)], steps, names)


def specificity_map(
    pairs: "DataFrame", without_prompt: Collection[str] = (), measure: str = "rho"
) -> Figure:
    """Heat map of all pairs of tasks in the order of the tree's leaves, the tree above it.

    Names have the colours of the types. White lines cross the map at data sets without a soft
    prompt of their own, the adversarial ones, whose names are in italics.

        pairs            as in `task_tree`
        without_prompt   those data sets
    """
    from scipy.cluster.hierarchy import dendrogram

    tree = task_tree(pairs, measure)
    cells = _square(pairs, measure).loc[tree.leaves, tree.leaves].mask(np.eye(len(tree.leaves)) > 0)
    size = max(3.0, 0.5 * len(cells))
    figure, (above, ax) = plt.subplots(
        2, 1, figsize=(size + 2.4, size + 2.9), height_ratios=(1.1, size), sharex=False
    )
    look = {"color_threshold": 0, "above_threshold_color": "black"}
    dendrogram(tree.steps, ax=above, no_labels=True, **look)  # a leaf is ten units wide
    above.set_ylabel("1 - rho")
    above.grid(False)
    above.spines[["top", "right", "bottom"]].set_visible(False)
    numbers = {"annot": True, "fmt": ".2f", "annot_kws": {"size": 8}}
    least = min(0.0, float(pairs[measure].min()))
    shown = {"cmap": "viridis", "vmin": least, "vmax": 1.0, "cbar": False}
    seaborn.heatmap(cells.round(2) + 0.0, ax=ax, **numbers, **shown)
    ax.set_facecolor("#EEEEEE")
    ax.grid(False)  # it would show through the empty diagonal
    for place, name in enumerate(tree.leaves):
        if name in without_prompt:
            for edge in (place, place + 1):
                ax.axvline(edge, color="white", lw=3)
                ax.axhline(edge, color="white", lw=3)
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(axis="y", rotation=0)
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    colour_by_type(labels)
    for label in labels:
        label.set_fontstyle("italic" if label.get_text() in without_prompt else "normal")
    type_legend(above, tree.leaves)
    return figure


def _square(pairs: "DataFrame", measure: str) -> "DataFrame":
    """The measure of every two tasks, 1 on the diagonal: index and columns tasks."""
    import pandas

    check_table(pairs, "first", "second", measure)
    names = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    cells = pandas.DataFrame(np.nan, index=names, columns=names)
    for first, second, value in pairs[["first", "second", measure]].itertuples(index=False):
        cells.loc[first, second] = cells.loc[second, first] = value
    for name in names:
        cells.loc[name, name] = 1.0
    if len(names) < 2 or cells.isna().to_numpy().any():
        raise BadInput(
            f"A tree of tasks needs the {measure} of every two of at least two tasks; of "
            f"{', '.join(names) or 'none'}, {int(cells.isna().to_numpy().sum()) // 2} are missing."
        )
    return cells
