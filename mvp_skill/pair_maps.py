"""Heat maps of pairs: what every two of some things have in common.

cells = square(rows, names, "rho")      # from a row per pair
pair_map(ax, cells, vmin=0, vmax=1)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas
from matplotlib.axes import Axes

if TYPE_CHECKING:
    from pandas import DataFrame


def square(rows: "DataFrame", names: Sequence[int | str], value: str) -> "DataFrame":
    """A number of every two names, symmetric: index and columns are the names, in their order.

    rows      a row per pair, in either order: first, second, `value`
    returns   NaN on the diagonal, and where a pair has no row
    """
    cells = pandas.DataFrame(np.nan, index=list(names), columns=list(names))
    for first, second, found in rows[["first", "second", value]].itertuples(index=False):
        cells.loc[first, second] = cells.loc[second, first] = found
    return cells


def pair_map(ax: Axes, cells: "DataFrame", **look: Any) -> None:
    """Draw such a table; cells without a number are grey.

    look   of `seaborn.heatmap`
    """
    import seaborn  # takes most of a second to import

    seaborn.heatmap(cells, ax=ax, cmap="viridis", **look)
    ax.set_facecolor("#EEEEEE")
    ax.grid(False)  # it would show through the empty diagonal
    ax.tick_params(axis="y", rotation=0)
