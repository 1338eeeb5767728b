"""Figures of the two causes: points are where the table says, and none hides another."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas
import pytest

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.origin_plots import against_random_parameters, with_and_without_pretraining


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    yield
    plt.close("all")


COUNTS = {"mlp_ft": 591_362, "lpft_dense": 590_592, "projectcls": 1538, "clsprompt": 0, "mvp": 0}
VICTIMS = pandas.DataFrame(
    [
        {"method": method, "n_random": count, "value": 0.5 + i / 10, "low": 0.4, "high": 0.95}
        for i, (method, count) in enumerate(COUNTS.items())
    ]
)
SIDES = pandas.DataFrame(
    [
        {"method": m, "side": side, "kind": kind, "value": value, "low": 0.1, "high": 1.0}
        for m, value in (("mlp_ft", 0.6), ("mvp", 0.8))
        for side in ("pretrained", "not")
        for kind in ("clean", "robust")
    ]
)


def drawn(ax, method: str) -> list[tuple[float, float]]:
    lines = [line for line in ax.lines if line.get_color() == plots.colour(method)]
    return [tuple(line.get_xydata()[0]) for line in lines if line.get_marker() in "oD"]


def test_every_victim_stands_at_its_number_of_random_parameters():
    ax = against_random_parameters(VICTIMS, plt.subplots()[1], chance=0.25)
    found = {method: drawn(ax, method)[0] for method in COUNTS}
    for row in VICTIMS.itertuples():
        x, y = found[row.method]
        assert y == row.value
        assert x == pytest.approx(row.n_random, rel=0.5, abs=8)
    x = {method: place for method, (place, _) in found.items()}
    assert x["lpft_dense"] > 1.2 * x["mlp_ft"]  # side by side in the table's order
    assert x["clsprompt"] < 0 < x["mvp"] < x["projectcls"] == pytest.approx(1538)
    assert ax.get_ylim() == (0, 1)
    assert [ln.get_ydata()[0] for ln in ax.lines if ln.get_linestyle() == "--"] == [0.25]


def test_only_counts_of_zero_are_drawn_too():
    frame = VICTIMS.assign(n_random=0)
    places = [drawn(against_random_parameters(frame, plt.subplots()[1]), m)[0][0] for m in COUNTS]
    assert places == sorted(places) and len(set(places)) == len(COUNTS)


def test_sides_have_an_open_clean_and_a_filled_robust_point_per_victim():
    ax = with_and_without_pretraining(SIDES, plt.subplots()[1], sides=("not", "pretrained"))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["not", "pretrained"]
    assert sorted({round(x) for x, _ in drawn(ax, "mlp_ft")}) == [0, 1]
    assert {y for _, y in drawn(ax, "mvp")} == {0.8}
    keys = [text.get_text() for text in ax.get_legend().get_texts()]
    assert keys == ["under attack", "clean"]
    fills = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "D"]
    assert fills == ["white"] * 4


@pytest.mark.parametrize("figure", [against_random_parameters, with_and_without_pretraining])
def test_a_table_without_its_columns_is_refused(figure):
    with pytest.raises(BadInput, match="lacks columns"):
        figure(VICTIMS[["method"]], plt.subplots()[1])
