"""The figure of transfer between domains."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mvp_skill.errors import BadInput
from mvp_skill.legends import name
from mvp_skill.study_tables import in_per_cent

if TYPE_CHECKING:
    from pandas import DataFrame


def transfer_maps(rows: "DataFrame") -> Figure:
    """A heat map per method, side by side: trained on (down), tried on (across).

    rows     method, source, target, seed, clean_acc; cells are means over seeds in per cent, one
             colour scale for all; frames mark the domain itself
    raises   BadInput if there are no rows
    """
    import seaborn  # takes most of a second to import

    if rows.empty:
        raise BadInput("The heat maps need rows of `transfer_rows`, and there are none.")
    methods, domains = list(rows["method"].unique()), list(rows["source"].unique())
    size = 0.9 + 1.15 * len(domains)
    figure, axes = plt.subplots(
        1, len(methods), figsize=(1.2 + size * len(methods), 0.8 + size), sharey=True, squeeze=False
    )
    means = rows.groupby(["method", "source", "target"])["clean_acc"].mean()
    for ax, method in zip(axes[0], methods, strict=True):
        cells = means[method].unstack("target").reindex(index=domains, columns=domains)
        texts = np.array([[in_per_cent(v, float("nan")) for v in row] for row in cells.to_numpy()])
        look = {"vmin": float(means.min()), "vmax": 1.0, "cmap": "viridis", "square": True}
        seaborn.heatmap(cells, ax=ax, annot=texts, fmt="", cbar=False, **look)
        for i in range(len(domains)):
            ax.add_patch(Rectangle((i, i), 1, 1, fill=False, ec="black", lw=3, clip_on=False))
        ax.set_title(name(method))
        ax.set_xlabel("tried on")
        ax.set_ylabel("trained on" if ax is axes[0][0] else "")
        ax.tick_params(axis="x", rotation=30)
        ax.tick_params(axis="y", rotation=0)
    return figure
