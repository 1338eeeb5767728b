"""Figures of adversarial training: every number stands where it belongs."""

import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.legends import colour, name
from mvp_skill.perturbation_plots import clean_and_robust, search

LOSSES = pandas.DataFrame(
    [("mlp_ft", 0.0, 0.3), ("mlp_ft", 1.0, 0.7), ("mvp", 0.0, 1e-4), ("mvp", 1.0, 1e-2)],
    columns=["method", "share", "loss"],
)
SHIFTS = pandas.DataFrame(
    [("mlp_ft", "a", 0.3), ("mlp_ft", "film", 0.4), ("mvp", "<mask>", 0.6), ("mvp", "a", 0.0)],
    columns=["method", "token", "norm"],
)


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    yield
    plt.close("all")


def cells(tasks, victims, attacks):
    """Planted values: every cell has one of its own, with a lopsided interval."""
    rows = []
    for task in tasks:
        for victim in victims:
            for attack in attacks:
                value = 0.2 + 0.03 * len(rows)
                row = {"task": task, "method": victim, "attack": attack, "value": value}
                rows.append(row | {"low": value - 0.1, "high": value + 0.05})
    return pandas.DataFrame(rows)


def test_the_search_shows_each_loss_and_each_token_in_its_own_panel():
    figure = search(LOSSES, SHIFTS)
    line, *bars = figure.axes
    drawn = {curve.get_label(): curve for curve in line.lines}
    assert drawn[name("mvp")].get_xydata().tolist() == [[0, 1e-4], [1, 1e-2]]
    assert drawn[name("mlp_ft")].get_xydata().tolist() == [[0, 0.3], [1, 0.7]]
    assert line.get_yscale() == "log"
    assert [ax.get_title(loc="left") for ax in bars] == ["MLP-FT", "MVP"]
    for ax, method in zip(bars, ("mlp_ft", "mvp"), strict=True):
        own = SHIFTS[SHIFTS["method"] == method]
        assert [patch.get_height() for patch in ax.patches] == list(own["norm"])
        assert [label.get_text() for label in ax.get_xticklabels()] == list(own["token"])
    # The norms 0.3 and 0.4 are 0.5 together; in equal shares each has 0.5 / sqrt(2).
    assert bars[0].lines[0].get_ydata()[0] == pytest.approx(0.5 / math.sqrt(2))


def test_a_victim_is_a_line_from_robust_to_clean_with_its_intervals():
    attacks = ["none", "textfooler", "textbugger"]
    found = cells(["a", "b"], ["mlp_ft", "mvp", "amda"], attacks)
    figure = clean_and_robust(found, {"b": 0.25})
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "MLP-FT",
        "MVP",
        "AMDA",
    ]
    for ax, task in zip(figure.axes, "ab", strict=True):
        own = found[found["task"] == task]
        points = [container.lines[0] for container in ax.containers]
        assert [point.get_xdata()[0] for point in points] == pytest.approx(list(own["value"]))
        assert [point.get_color() for point in points] == [colour(row) for row in own["method"]]
        rows = [round(point.get_ydata()[0]) for point in points]
        assert rows == [0, 0, 0, 1, 1, 1, 2, 2, 2], "in the row of its victim"
        ends = [tuple(c.lines[2][0].get_segments()[0][:, 0]) for c in ax.containers]
        wanted = list(zip(own["low"], own["high"], strict=True))
        assert ends == [pytest.approx(pair) for pair in wanted]
        dashed = [line for line in ax.lines if line.get_label() == "constant guess"]
        assert len(dashed) == (task == "b")
        assert ax.get_xlim() == (0, 1)
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["clean", "TextFooler", "TextBugger", "constant guess"]


def test_an_attack_keeps_its_marker_where_another_is_missing():
    found = cells(["a"], ["mlp_ft", "mvp"], ["none", "textfooler", "textbugger"])
    found = found[~((found["method"] == "mvp") & (found["attack"] == "textfooler"))]
    figure = clean_and_robust(found)
    markers = [container.lines[0].get_marker() for container in figure.axes[0].containers]
    (legend,) = figure.legends
    shown = [handle.get_marker() for handle in legend.legend_handles]
    assert markers == [*shown, shown[0], shown[2]] and len(set(shown)) == 3


def test_what_cannot_be_drawn_is_refused():
    found = cells(["a"], ["mvp"], ["none"])
    with pytest.raises(BadInput, match="several values"):
        clean_and_robust(pandas.concat([found, found]))
    with pytest.raises(BadInput, match="lacks columns low"):
        clean_and_robust(found.drop(columns="low"))
    with pytest.raises(BadInput, match="lacks rows"):
        search(LOSSES.head(0), SHIFTS)
    with pytest.raises(BadInput, match="lacks columns norm"):
        search(LOSSES, SHIFTS.drop(columns="norm"))
