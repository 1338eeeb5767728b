"""Figures of suppressed neurons: what is drawn is what is in the tables."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas
import pytest
from matplotlib.colors import to_hex

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.kind_legends import KIND_COLOURS
from mvp_skill.suppression_plots import curve_panels, rate_curves


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    plots.style()
    yield
    plt.close("all")


def some_points(kinds=("roberta", "t5"), data=("a",)):
    return pandas.DataFrame(
        [
            {"kind": kind, "data": name, "which": which, "rate": rate, "mean": mean, "sem": 0.02}
            for name in data
            for number, kind in enumerate(kinds)
            for which, rate, mean in (
                ("none", 0, 0.9 - number / 10),
                ("skill", 15, 0.5),
                ("skill", 5, 0.7),
                ("random", 5, 0.85),
                ("random", 15, 0.8),
                ("all", 100, 0.88),
            )
        ]
    )


def test_curves_begin_where_nothing_is_suppressed_and_go_up_in_rate():
    ax = rate_curves(some_points(), guess=0.55)
    drawn = [
        (to_hex(line.get_color()), line.get_linestyle(), line.get_xydata().tolist())
        for line in ax.lines
    ]
    assert (to_hex(KIND_COLOURS["t5"]), "-", [[0, 0.8], [5, 0.7], [15, 0.5]]) in drawn
    assert (to_hex(KIND_COLOURS["roberta"]), "--", [[0, 0.9], [5, 0.85], [15, 0.8]]) in drawn
    levels = {line.get_ydata()[0] for line in ax.lines if len(set(line.get_ydata())) == 1}
    assert {0.88, 0.55} <= levels
    bands = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    assert any(band.min() == pytest.approx(0.48) for band in bands), "one SEM"


def test_a_single_seed_has_no_band():
    assert not rate_curves(some_points().assign(sem=float("nan"))).collections


@pytest.mark.parametrize("n", [1, 3, 5, 8])
def test_there_is_a_panel_for_each_data_set(n):
    names = [f"data {number}" for number in range(n)]
    figure = curve_panels(some_points(data=names), dict.fromkeys(names, 0.5))
    figure.canvas.draw()
    shown = [ax.get_title() for ax in figure.axes if ax.get_visible()]
    assert shown == names
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said[:2] == ["RoBERTa, skill", "RoBERTa, random"]
    assert said[-2:] == ["all neurons patched", "constant guess"]


def test_there_must_be_something_to_draw():
    with pytest.raises(BadInput, match="rows"):
        curve_panels(some_points().iloc[:0], {})
    with pytest.raises(BadInput, match="sem"):
        rate_curves(some_points().drop(columns="sem"))
