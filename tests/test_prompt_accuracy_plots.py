"""Figures of accuracies of prompt-tuned models: what is drawn is what is in the tables."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
from matplotlib.colors import to_hex

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.kind_legends import KIND_COLOURS, KIND_MARKERS, KIND_NAMES
from mvp_skill.prompt_accuracy import over_seeds, per_seed
from mvp_skill.prompt_accuracy_plots import accuracy_by_task, tuning_curves
from mvp_skill.prompt_scales import KINDS
from mvp_skill.type_legends import TYPE_COLOURS

TASKS = ("qqp", "sst2", "adv_sst2")
MAJORITY = {"qqp": 0.6, "sst2": 0.52, "adv_sst2": 0.51}


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    plots.style()
    yield
    plt.close("all")


@pytest.fixture
def right():
    generator = np.random.default_rng(1)
    return {
        (kind, task, seed): generator.random(23) < 0.8
        for kind in ("roberta", "t5")
        for task in TASKS
        for seed in (33, 34)
    }


def test_every_kind_has_a_look_of_its_own_that_is_no_types():
    assert set(KIND_NAMES) == set(KIND_COLOURS) == set(KIND_MARKERS) == set(KINDS)
    assert len({*KIND_COLOURS.values(), *TYPE_COLOURS.values()}) == 2 + len(TYPE_COLOURS)


def test_points_intervals_and_dots_stand_where_the_tables_say(right):
    means, seeds = over_seeds(right, MAJORITY), per_seed(right, MAJORITY)
    ax = accuracy_by_task(means, seeds, chance=0.5)
    bars = {}
    for container in ax.containers:
        x, y = (values[0] for values in container.lines[0].get_data())
        (segment,) = container.lines[2][0].get_segments()
        bars[container.lines[0].get_color(), round(x)] = (y, *segment[:, 1])
    for row in means.itertuples():
        drawn = bars[KIND_COLOURS[row.kind], TASKS.index(row.task)]
        assert drawn == pytest.approx((row.mean, row.low, row.high))
    dots = [line for line in ax.lines if line.get_marker() == "."]
    assert sorted(y for line in dots for y in line.get_ydata()) == sorted(seeds["acc"])


def test_each_task_has_its_own_majority_rate_and_the_colour_of_its_type(right):
    ax = accuracy_by_task(over_seeds(right, MAJORITY), per_seed(right, MAJORITY))
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    places = {round(np.mean(line.get_xdata())): line.get_ydata()[0] for line in dashed}
    assert places == {place: MAJORITY[task] for place, task in enumerate(TASKS)}
    colours = [to_hex(label.get_color()).upper() for label in ax.get_xticklabels()]
    assert colours == [TYPE_COLOURS[k] for k in ("paraphrase", "sentiment", "sentiment")]
    assert [text.get_text() for text in ax.get_legend().get_texts()].count("RoBERTa") == 1


def test_b1_a_flagged_row_is_an_open_marker(right):
    flagged = {("roberta", "sst2", 33)}
    ax = accuracy_by_task(over_seeds(right, MAJORITY, flagged), per_seed(right, MAJORITY))
    open_ones = [c for c in ax.containers if c.lines[0].get_markerfacecolor() == "white"]
    (found,) = open_ones
    assert round(found.lines[0].get_xdata()[0]) == 1
    assert found.lines[0].get_color() == KIND_COLOURS["roberta"]


def test_a_curve_per_prompt_with_a_ring_at_the_first_of_the_best():
    history = {0: [0.5, 0.9, 0.9], 1: [0.6, 0.7, 0.4]}
    frame = pandas.DataFrame(
        [
            {"task": "qqp", "seed": seed, "n_examples": 16 * (i + 1), "clean_acc": acc}
            for seed, accs in history.items()
            for i, acc in enumerate(accs)
        ]
    )
    ax = tuning_curves(frame)
    rings = [line for line in ax.lines if line.get_marker() == "o"]
    assert [(r.get_xdata()[0], r.get_ydata()[0]) for r in rings] == [(32, 0.9), (32, 0.7)]
    assert [list(line.get_ydata()) for line in ax.lines if line.get_marker() == "."] == list(
        history.values()
    )
    assert len(ax.get_legend().get_texts()) == 1


def test_missing_columns_are_named():
    with pytest.raises(BadInput, match="lacks"):
        tuning_curves(pandas.DataFrame({"task": ["qqp"]}))
    with pytest.raises(BadInput, match="lacks"):
        accuracy_by_task(pandas.DataFrame({"kind": ["t5"]}), pandas.DataFrame())
