"""What the figures of pruned and otherwise tuned models show."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.pruning_plots import (
    accuracy_by_share,
    predictivity_by_reading,
    suppression_by_method,
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def pruned_rows():
    rows = [("skill", 0.02, 0.7, False), ("skill", 0.1, 0.9, False), ("skill", 0.02, 0.95, True)]
    rows += [
        ("random", 0.02, 0.5, False),
        ("random", 0.02, 0.6, False),
        ("random", 0.1, 0.8, False),
    ]
    return pd.DataFrame(rows, columns=["neurons", "kept", "clean_acc", "retuned"])


def points(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_pruned_models_are_joined_by_their_means_without_the_retuned_ones():
    ax = accuracy_by_share(pruned_rows(), whole=0.97, chance=0.5)
    assert points(ax, "skill neurons kept") == [(0.02, 0.7), (0.1, 0.9)]
    assert points(ax, "random neurons kept") == [(0.02, pytest.approx(0.55)), (0.1, 0.8)]
    assert points(ax, "skill, soft prompt re-tuned") == [(0.02, 0.95)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2 %", "10 %"]


def test_each_way_of_tuning_has_a_panel_with_both_kinds_of_neurons():
    columns = ["method", "neurons", "fraction", "clean_acc"]
    rows = [
        (method, neurons, fraction, 0.9 - fraction)
        for method in ("adapter", "prompt_tuning")
        for neurons in ("skill", "random")
        for fraction in (0.0, 0.1)
    ]
    panels = suppression_by_method(pd.DataFrame(rows, columns=columns), chance=0.5)
    assert [ax.get_title() for ax in panels] == ["prompt tuning", "adapters"]
    assert points(panels[1], "skill neurons") == [(0.0, 0.9), (0.1, pytest.approx(0.8))]


def test_readings_are_drawn_from_chance_to_what_was_found():
    rows = [("prompt positions", "prompt", 0.9, 0.6), ("mean of the text", "text", 0.8, 0.55)]
    frame = pd.DataFrame(rows, columns=["reading", "place", "predictivity", "null"])
    ax = predictivity_by_reading(frame)
    assert list(ax.lines[0].get_xdata()) == [0.6, 0.9]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(frame["reading"])


@pytest.mark.parametrize("draw", [suppression_by_method, predictivity_by_reading])
def test_a_table_without_a_column_is_refused(draw):
    with pytest.raises(BadInput, match="lacks columns"):
        draw(pd.DataFrame({"method": ["bitfit"]}))
    with pytest.raises(BadInput, match="lacks columns"):
        accuracy_by_share(pd.DataFrame({"kept": [0.1]}), 0.9)
