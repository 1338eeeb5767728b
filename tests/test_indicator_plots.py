"""The figure of rank correlations shows the table's numbers."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas
import pytest

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.indicator_plots import rho_by_measure
from mvp_skill.kind_legends import KIND_COLOURS


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    plots.style()
    yield
    plt.close("all")


def table():
    rows = [("roberta", "cosine", 0.5), ("roberta", "cosine", -0.1), ("t5", "cosine", 0.2)]
    rows += [("roberta", "overlap, all layers", 0.8), ("t5", "overlap, all layers", float("nan"))]
    return pandas.DataFrame(rows, columns=["kind", "measure", "rho"])


def test_a_dot_per_rho_and_a_marker_at_the_mean():
    ax = rho_by_measure(table())
    dots = sorted(x for line in ax.lines if line.get_marker() == "." for x in line.get_xdata())
    assert dots == [-0.1, 0.2, 0.5, 0.8]  # NaN is left out
    means = [
        (line.get_color(), round(line.get_ydata()[0]), round(line.get_xdata()[0], 6))
        for line in ax.lines
        if line.get_marker() in "os"
    ]
    assert sorted(means) == sorted(
        [
            (KIND_COLOURS["roberta"], 0, 0.2),
            (KIND_COLOURS["t5"], 0, 0.2),
            (KIND_COLOURS["roberta"], 1, 0.8),
        ]
    )
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cosine", "overlap, all layers"]


def test_a_table_without_a_single_rho_is_refused():
    with pytest.raises(BadInput, match="lacks rows"):
        rho_by_measure(table().assign(rho=float("nan")))
