"""Agreement of seeds, against SciPy layer by layer."""

from dataclasses import replace
from itertools import combinations

import matplotlib
import pytest
import torch
from neuron_cases import counted, random_fired
from scipy.stats import spearmanr

from mvp_skill.neuron_scores import neuron_scores
from mvp_skill.neuron_seeds import seed_agreement, seed_correlations, seed_maps

matplotlib.use("Agg")
LABELS = torch.arange(53) % 2
SEEDS = (33, 35, "su")


@pytest.fixture(scope="module")
def scores():
    made = iter(range(100))

    def one():
        return neuron_scores(counted(random_fired(seed=next(made)), LABELS))

    found = {
        (kind, task): [one() for _ in SEEDS]
        for kind in ("roberta", "t5")
        for task in ("mini_films", "mini_acts")
    }
    first, second, _ = found["t5", "mini_acts"]
    found["t5", "mini_acts"][1] = replace(second, predictivity=first.predictivity**2)
    return found


def test_b13_rows_have_correlations_of_every_two_seeds_and_no_p_values(scores):
    rows = seed_correlations(scores, SEEDS)
    assert len(rows) == 4 * 3
    for row in rows.itertuples():
        pair = [scores[row.kind, row.task][SEEDS.index(s)] for s in (row.first, row.second)]
        layers = zip(*(one.predictivity for one in pair), strict=True)
        rhos = [spearmanr(a, b).statistic for a, b in layers]
        assert row.rho == pytest.approx(sum(rhos) / len(rhos))
    of_acts = rows[(rows["kind"] == "t5") & (rows["task"] == "mini_acts")]
    assert of_acts["rho"].iloc[0] == pytest.approx(1), "ranks alike, whatever the values"
    assert [(r.first, r.second) for r in of_acts.itertuples()] == list(combinations(SEEDS, 2))


def test_a_task_has_the_mean_and_the_ends_of_its_pairs(scores):
    rows = seed_correlations(scores, SEEDS)
    found = seed_agreement(rows)
    assert [(r.kind, r.task) for r in found.itertuples()] == list(scores)
    for row in found.itertuples():
        values = rows[(rows["kind"] == row.kind) & (rows["task"] == row.task)]["rho"].tolist()
        assert row.mean == pytest.approx(sum(values) / 3) and row.n_pairs == 3
        assert (row.low, row.high) == (min(values), max(values)) and row.low < row.high
    alone = {key: found[:1] for key, found in scores.items()}
    assert seed_correlations(alone, SEEDS[:1]).empty


def test_maps_show_each_pair_twice(scores):
    rows = seed_correlations(scores, SEEDS)
    figure = seed_maps(rows)
    assert len(figure.axes) == 4
    for ax, ((kind, task), _) in zip(figure.axes, scores.items(), strict=True):
        of_task = rows[(rows["kind"] == kind) & (rows["task"] == task)]["rho"]
        told = sorted(text.get_text() for text in ax.texts if text.get_text())
        assert told == sorted(2 * [f"{value:.2f}".lstrip("0") for value in of_task])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == list(map(str, SEEDS))
    assert figure.axes[0].get_title() == "mini\nfilms"
