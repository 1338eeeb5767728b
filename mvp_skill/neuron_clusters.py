"""Which tasks rank neurons alike: a tree of tasks, and a heat map in the order of its leaves.

tree = task_tree(pairs)                      # pairs of `neuron_tables.task_pairs`
specificity_map(pairs, ["mini_adv_films"])   # the tree above the map; a set without a soft prompt

Source: the heat map, Wang et al. 2022 and Ackermann and Ohmer 2023; the tree is ours.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.pair_maps import pair_map, square
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


def task_tree(pairs: "DataFrame") -> Tree:
    """Average linkage on the distance 1 - rho: two groups are as far apart as their tasks on mean.

    pairs    a row per pair of tasks: first, second, rho; every pair once
    raises   BadInput for fewer than two tasks, or a pair that is missing or whose rho is NaN
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    check_table(pairs, "first", "second", "rho")
    names = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    above_diagonal = np.triu_indices(len(names), 1)
    alike = square(pairs, names, "rho").to_numpy()[above_diagonal]  # [pair], as SciPy wants them
    if len(names) < 2 or np.isnan(alike).any():
        n_nan = int(pairs["rho"].isna().sum())
        raise BadInput(
            f"A tree of tasks needs the rho of every two of at least two tasks; of "
            f"{', '.join(names)}, {int(np.isnan(alike).sum()) - n_nan} are missing and {n_nan} are "
            "NaN, as where all neurons of a layer have the same predictivity."
        )
    steps = linkage(np.clip(1 - alike, 0, None), method="average", optimal_ordering=True)
    return Tree([names[place] for place in leaves_list(steps)], steps, names)


def specificity_map(pairs: "DataFrame", without_prompt: Collection[str] = ()) -> Figure:
    """Heat map of all pairs of tasks in the order of the tree's leaves, the tree above it.

    Names have the colours of the types. White lines cross the map at data sets without a soft
    prompt of their own, the adversarial ones, whose names are in italics.

        pairs            as in `task_tree`
        without_prompt   those data sets
    """
    tree = task_tree(pairs)
    cells = square(pairs, tree.leaves, "rho")
    size = max(3.0, 0.5 * len(cells))
    figure, (above, ax) = plt.subplots(
        2, 1, figsize=(size + 2.4, size + 2.9), height_ratios=(1.1, size), sharex=False
    )
    _draw_tree(above, tree)
    ends = {"vmin": min(0.0, float(pairs["rho"].min())), "vmax": 1.0}
    numbers = {"annot": True, "fmt": ".2f", "annot_kws": {"size": 8}}
    pair_map(ax, cells.round(2) + 0.0, cbar=False, **ends, **numbers)  # + 0.0: no "-0.00"
    ax.tick_params(axis="x", rotation=90)
    colour_by_type([*ax.get_xticklabels(), *ax.get_yticklabels()])
    _set_apart(ax, tree.leaves, without_prompt)
    type_legend(above, tree.leaves)
    return figure


def _draw_tree(ax: Axes, tree: Tree) -> None:
    from scipy.cluster.hierarchy import dendrogram

    look = {"color_threshold": 0, "above_threshold_color": "black"}
    dendrogram(tree.steps, ax=ax, no_labels=True, **look)  # a leaf is ten units wide
    ax.set_ylabel("1 - rho")
    ax.grid(False)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _set_apart(ax: Axes, names: list[str], others: Collection[str]) -> None:
    """White lines around the rows and columns of the others, and their names in italics."""
    for place, name in enumerate(names):
        for edge in (place, place + 1) if name in others else ():
            ax.axvline(edge, color="white", lw=3)
            ax.axhline(edge, color="white", lw=3)
    for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        label.set_fontstyle("italic" if label.get_text() in others else "normal")
