"""Heat maps of pairs, against plain looking up."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mvp_skill.pair_maps import pair_map, square

matplotlib.use("Agg")
ROWS = pd.DataFrame(
    [["a", "c", 0.5, 1], ["b", "a", -0.25, 2], ["d", "c", 0.75, 3]],
    columns=["first", "second", "rho", "n"],
)


def test_a_square_has_each_pair_twice_in_the_order_of_the_names():
    names = ["c", "a", "d", "b"]
    cells = square(ROWS, names, "rho")
    assert list(cells.index) == list(cells.columns) == names
    told = {("a", "c"): 0.5, ("b", "a"): -0.25, ("d", "c"): 0.75}
    for one in names:
        for other in names:
            value = told.get((one, other), told.get((other, one)))
            found = cells.loc[one, other]
            assert np.isnan(found) if value is None else found == value
    assert square(ROWS, names, "n").loc["c", "d"] == 3


def test_a_map_draws_the_square_and_leaves_the_rest_grey():
    ax = plt.subplots()[1]
    pair_map(ax, square(ROWS, "abcd", "rho"), vmin=-1, vmax=1, cbar=False)
    drawn = ax.collections[0].get_array().reshape(4, 4)
    assert np.ma.getmaskarray(drawn).sum() == 16 - 2 * 3
    assert drawn[0, 1] == drawn[1, 0] == -0.25
    assert ax.collections[0].get_clim() == (-1, 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == list("abcd")
    assert matplotlib.colors.to_hex(ax.get_facecolor()) == "#eeeeee"
    plt.close("all")
