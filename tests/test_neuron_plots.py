"""Figures of predictivity show the numbers they are given."""

import matplotlib.pyplot as plt
import pandas
import pytest
import torch

from mvp_skill import neuron_plots
from mvp_skill.errors import BadInput
from mvp_skill.neuron_statistics import histogram

TASKS = ("mini_films", "mini_nli_binary", "mini_acts")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def preds(n_layers=3, n_neurons=37, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {task: 0.5 + torch.rand(n_layers, n_neurons, generator=generator) / 4 for task in TASKS}


def test_boxes_reach_from_the_smallest_to_the_largest_neuron():
    nulls = {task: pred[None] - 0.0 for task, pred in preds(seed=1).items()}
    rows = pandas.DataFrame({"task": TASKS, "acc": [0.9, 0.8, 0.7], "majority_rate": 0.55})
    ax = neuron_plots.predictivity_boxes(preds(), nulls, rows)
    caps = [line.get_ydata()[0] for line in ax.lines if len(line.get_ydata()) == 2]
    for found in (*preds().values(), *nulls.values()):
        for end in (found.min(), found.max()):
            assert any(abs(cap - end.item()) < 1e-6 for cap in caps)
    diamonds = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "D"]
    assert diamonds == [0.9, 0.8, 0.7]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(TASKS)
    with pytest.raises(BadInput, match="majority_rate"):
        neuron_plots.predictivity_boxes(preds(), nulls, rows.drop(columns="majority_rate"))


def test_layers_have_a_box_per_kind_and_a_line_where_chance_ends():
    found = {"roberta": preds()["mini_films"], "t5": preds()["mini_acts"]}
    ax = neuron_plots.layer_boxes(found, bar={"roberta": 0.61, "t5": 0.62})
    assert len(ax.patches) == 6
    dashed = [line.get_ydata()[0] for line in ax.lines if line.get_ls() == "--"]
    assert dashed == [0.61, 0.62]
    assert ax.get_xlabel() == "layer"


def test_b14_histograms_count_every_neuron_in_a_panel_per_task():
    frame = pandas.concat(
        [
            histogram(pred).assign(kind=kind, task=task)
            for kind in ("roberta", "t5")
            for task, pred in preds().items()
        ]
    )
    figure = neuron_plots.top_histograms(frame)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in shown] == list(TASKS)
    for ax in shown:
        assert sum(bar.get_height() for bar in ax.patches) == 2 * 3 * 37


def test_maps_show_shares_in_per_cent():
    rows = {task: torch.tensor([0.25, 0.75]) for task in TASKS}
    cells = neuron_plots.shares_by_number(rows, first=1)
    assert list(cells.columns) == [1, 2] and cells.loc["mini_films", 2] == 0.75
    ax = neuron_plots.share_map(cells, "layer")
    assert [text.get_text() for text in ax.texts] == ["25", "75"] * 3


def test_lines_of_a_kind_share_its_colour_and_differ_in_style():
    rows = [
        {"series": series, "kind": kind, "position": p, "predictivity": 0.5 + p / 10}
        for series, kind in (("a", "roberta"), ("b", "roberta"), ("c", "t5"))
        for p in range(3)
    ]
    ax = neuron_plots.position_lines(pandas.DataFrame(rows))
    a, b, c = ax.lines
    assert a.get_color() == b.get_color() != c.get_color()
    assert a.get_linestyle() != b.get_linestyle()
    assert list(c.get_ydata()) == [0.5, 0.6, 0.7]


def test_every_pair_is_a_dot_and_every_mean_a_bar():
    rows = [
        {"kind": kind, "pair": pair, "rho": value}
        for kind, shift in (("roberta", 0.0), ("t5", 0.1))
        for pair, values in (("same task", (0.5, 0.7)), ("other type", (0.1, 0.2, 0.3)))
        for value in [v + shift for v in values]
    ]
    ax = neuron_plots.pair_dots(pandas.DataFrame(rows))
    dots = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "."]
    assert dots == [[0.5, 0.7], [0.1, 0.2, 0.3], [0.6, pytest.approx(0.8)], [0.2, *dots[3][1:]]]
    means = sorted(bar.get_segments()[0][0][1] for bar in ax.collections)
    assert means == pytest.approx([0.2, 0.3, 0.6, 0.7])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["same task", "other type"]
