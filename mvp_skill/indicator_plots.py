"""Figures of what foretells transfer: rank correlations of each similarity, target by target."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mvp_skill.checks import check_table
from mvp_skill.kind_legends import KIND_COLOURS, KIND_MARKERS, KIND_NAMES

if TYPE_CHECKING:
    from pandas import DataFrame

APART = 0.32
"""Between the kinds of one measure, where measures are 1 apart."""


def rho_by_measure(frame: "DataFrame", ax: Axes | None = None) -> Axes:
    """Spearman's rho with transfer by measure: a dot per target and seed, a marker at the mean.

    frame   kind, measure, rho; a rho that is NaN is left out
    """
    check_table(frame, "kind", "measure", "rho")
    frame = frame.dropna(subset=["rho"])
    check_table(frame, "kind", "measure", "rho")
    measures = list(dict.fromkeys(frame["measure"]))
    ax = plt.subplots(figsize=(7.2, 1.4 + 0.5 * len(measures)))[1] if ax is None else ax
    kinds = list(dict.fromkeys(frame["kind"]))
    generator = np.random.default_rng(0)  # spreads the dots; the same picture each time
    for place, kind in enumerate(kinds):
        shift = (place - (len(kinds) - 1) / 2) * APART
        for y, measure in enumerate(measures):
            of = frame[(frame["kind"] == kind) & (frame["measure"] == measure)]["rho"].to_numpy()
            if not len(of):
                continue
            spread = y + shift + generator.uniform(-0.08, 0.08, len(of))
            ax.plot(of, spread, ".", ms=5, alpha=0.6, color=KIND_COLOURS[kind], ls="none")
            look = {"marker": KIND_MARKERS[kind], "ms": 9, "mec": "black", "ls": "none"}
            label = KIND_NAMES[kind] if y == 0 else None
            at = [of.mean()], [y + shift]
            ax.plot(*at, color=KIND_COLOURS[kind], label=label, zorder=3, **look)
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(measures)), [name.replace("_", " ") for name in measures])
    ax.set_ylim(len(measures) - 0.5, -0.5)
    ax.set_xlim(-1.05, 1.05)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("rank correlation with transfer (marker: mean)")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
