"""Figures of flaws: what is drawn is what the table says."""

import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.flaw_plots import labels_histogram, largest_by_chance, overlap_curves


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def scores():
    values = {"right": ([0.52, 0.55, 0.56], [0.9, 0.97]), "flattened": ([0.75] * 3, [0.76, 1.0])}
    return pandas.DataFrame(
        {"labels": labels, "neurons": kind, "predictivity": value}
        for labels, both in values.items()
        for kind, own in zip(("without signal", "planted"), both, strict=True)
        for value in own
    )


def test_every_neuron_is_in_a_bar_and_bars_are_shares_of_their_kind():
    figure = labels_histogram(scores())
    assert [ax.get_title() for ax in figure.axes] == ["right labels", "flattened labels"]
    for ax in figure.axes:
        heights = [sum(bar.get_height() for bar in group) for group in ax.containers]
        assert heights == pytest.approx([1, 1])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "without signal (n = 3)",
        "planted (n = 2)",
    ]


def test_lines_of_the_null_are_sorted_by_n_and_the_packages_values_are_marks():
    rows = [(148, "independent", 0.61), (78, "independent", 0.65), (78, "by package", 0.655)]
    ax = largest_by_chance(pandas.DataFrame(rows, columns=["n", "series", "predictivity"]))
    drawn = {line.get_label(): line for line in ax.lines}
    assert drawn["independent"].get_xydata().tolist() == [[78, 0.65], [148, 0.61]]
    assert drawn["by package"].get_linestyle() == "None"
    assert drawn["by package"].get_xydata().tolist() == [[78, 0.655]]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["78", "148"]


def test_overlaps_are_drawn_per_case_with_chance():
    columns = ["case", "fraction", "with", "without", "chance"]
    rows = [("same", 0.1, 0.2, 1.0, 0.1), ("same", 0.05, 0.1, 0.6, 0.05), ("dead", 0.1, 1, 0, 0.1)]
    figure = overlap_curves(pandas.DataFrame(rows, columns=columns))
    first, second = figure.axes
    drawn = {line.get_label(): line.get_xydata() for line in first.lines}
    assert np.allclose(drawn["with the flaw"], [[5, 0.1], [10, 0.2]])
    assert np.allclose(drawn["without the flaw"], [[5, 0.6], [10, 1.0]])
    assert np.allclose(drawn["chance"], [[5, 0.05], [10, 0.1]])
    assert second.get_title() == "dead" and len(figure.legends) == 1


@pytest.mark.parametrize("draw", [labels_histogram, largest_by_chance, overlap_curves])
def test_tables_without_their_columns_are_refused(draw):
    with pytest.raises(BadInput):
        draw(pandas.DataFrame({"n": [1]}))
