"""The main table's figure: each victim's point stands where its number is."""

from itertools import pairwise

import matplotlib.pyplot as plt
import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.legends import colour, name
from mvp_skill.plots import save_figure, style
from mvp_skill.robustness_plots import robustness_by_task

ATTACKS = ("none", "textfooler", "textbugger")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def cells(tasks, victims, attacks=ATTACKS):
    """Planted values: every cell has one of its own, with a lopsided interval."""
    rows = []
    for task in tasks:
        for victim in victims:
            for attack in attacks:
                value = 0.2 + 0.03 * len(rows) % 0.7
                row = {"task": task, "method": victim, "attack": attack, "value": value}
                rows.append(row | {"low": value - 0.1, "high": value + 0.05})
    return pandas.DataFrame(rows)


def points(ax):
    """Label to (x, y, low, high) of what is drawn, from left to right."""
    drawn = {}
    for container in ax.containers:
        line, _, (bars,) = container.lines
        ends = [tuple(segment[:, 1]) for segment in bars.get_segments()]
        where = zip(line.get_xdata(), line.get_ydata(), ends, strict=True)
        drawn[container.get_label()] = ([(x, y, *end) for x, y, end in where], line.get_color())
    return drawn


def test_every_cell_is_a_point_with_its_own_interval_in_the_panel_of_its_task():
    victims = ["mlp_ft", "mvp", "mlp_ft_adv", "mvp_adv", "freelb", "infobert", "amda"]
    found = cells(["a", "b", "c", "d", "e"], victims)
    figure = robustness_by_task(found, {"a": 0.5, "c": 0.25})
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "d", "e"]
    for ax in figure.axes:
        drawn = points(ax)
        assert list(drawn) == [name(victim) for victim in victims]
        for victim in victims:
            own = found[(found["task"] == ax.get_title()) & (found["method"] == victim)]
            placed, shade = drawn[name(victim)]
            assert shade == colour(victim)
            for index, (point, row) in enumerate(zip(placed, own.itertuples(), strict=True)):
                assert abs(point[0] - index) < 0.5, "in the column of its attack"
                assert point[1:] == pytest.approx((row.value, row.low, row.high))
        places = [x for placed, _ in drawn.values() for x, *_ in placed]
        assert len({round(x, 6) for x in places}) == 21, "no two points share a place"
        dashed = [line for line in ax.lines if line.get_label() == "constant guess"]
        assert len(dashed) == (ax.get_title() in "ac")
    assert figure.axes[2].lines[0].get_ydata()[0] == 0.25
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == [
        "clean",
        "TextFooler",
        "TextBugger",
    ]
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert sorted(shown) == sorted(["constant guess", *map(name, victims)])


def test_the_legend_stays_beside_the_panels_when_the_figure_is_saved_and_shown_again(tmp_path):
    with plt.rc_context():
        style()
        figure = robustness_by_task(cells(["a"], ["mlp_ft", "mvp"]))
        before = figure.axes[0].get_position().bounds
        save_figure("figure", tmp_path, figure)
        figure.savefig(tmp_path / "again.png", bbox_inches="tight")
        (legend,), (ax,) = figure.legends, figure.axes
        assert ax.get_position().bounds == pytest.approx(before)
        assert not legend.get_window_extent().overlaps(ax.get_window_extent())


def test_a_single_task_and_a_missing_attack_are_drawn():
    found = cells(["a"], ["mlp_ft", "mvp"])
    found = found[~((found["method"] == "mvp") & (found["attack"] == "textfooler"))]
    (ax,) = robustness_by_task(found).axes
    placed, _ = points(ax)["MVP"]
    assert [round(x) for x, *_ in placed] == [0, 2]


def test_what_cannot_be_drawn_is_refused():
    found = cells(["a"], ["mlp_ft"])
    with pytest.raises(BadInput, match="lacks columns low"):
        robustness_by_task(found.drop(columns="low"))
    with pytest.raises(BadInput, match="lacks rows"):
        robustness_by_task(found.head(0))
    with pytest.raises(BadInput, match="draw its variants apart"):
        robustness_by_task(pandas.concat([found, found]))


def test_the_names_of_all_attacks_fit_beside_each_other(tmp_path):
    style()
    attacks = ("none", "textfooler", "textbugger", "textbugger_stock", "bert_attack", "misspelling")
    figure = robustness_by_task(cells(["mini_films"], ["mlp_ft", "mvp"], attacks))
    save_figure("names", tmp_path, figure)
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) == 6
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert min(box.y0 for box in boxes) > 0, "not cut off below"
