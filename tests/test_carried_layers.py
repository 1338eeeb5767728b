"""Predictivity by layer, clean and adversarial, against plain means."""

import matplotlib
import numpy as np
import pytest
import torch

from mvp_skill.carried_layers import (
    ADVERSARIAL,
    CLEAN,
    SAMPLE,
    layer_box_panels,
    means_over_tasks,
    most_by_chance,
)
from mvp_skill.carry_over import Carried
from mvp_skill.errors import BadInput

matplotlib.use("Agg")


def carried(seed, n_permutations=3):
    """Two seeds, three layers, seven neurons, five control draws."""
    generator = torch.Generator().manual_seed(seed)

    def some(*of):
        return 0.5 + 0.5 * torch.rand(2, *of, 3, 7, generator=generator)

    return Carried(some(), some(), some(), some(n_permutations), some(5), torch.tensor([9, 8]))


@pytest.fixture
def found():
    keys = [(kind, task) for kind in ("roberta", "t5") for task in ("mini_films", "mini_nli")]
    return {key: carried(number) for number, key in enumerate(keys)}


def test_means_are_over_seeds_and_tasks_of_one_kind(found):
    means = means_over_tasks(found, "t5")
    assert list(means) == [CLEAN, SAMPLE, ADVERSARIAL]
    for layer, neuron in ((0, 0), (2, 6), (1, 3)):
        for name, field in ((CLEAN, "clean"), (ADVERSARIAL, "adversarial"), (SAMPLE, "control")):
            values = []
            for task in ("mini_films", "mini_nli"):
                for seed in range(2):
                    of_seed = getattr(found["t5", task], field)[seed]
                    of_seed = of_seed[0] if name == SAMPLE else of_seed  # the first draw
                    values.append(of_seed[layer, neuron].item())
            assert means[name][layer, neuron].item() == pytest.approx(np.mean(values))
    with pytest.raises(BadInput, match="no task of t5"):
        means_over_tasks({("roberta", "mini_films"): carried(0)}, "t5")


def test_the_bar_is_the_largest_mean_that_permuted_labels_give(found):
    best = 0.0
    for permutation in range(3):
        nulls = [
            found["roberta", t].null[s, permutation]
            for t in ("mini_films", "mini_nli")
            for s in (0, 1)
        ]
        best = max(best, torch.stack(nulls).mean(dim=0).max().item())
    assert most_by_chance(found, "roberta") == pytest.approx(best)
    assert np.isnan(most_by_chance({("t5", "mini_films"): carried(0, 0)}, "t5"))


def test_panels_have_a_box_per_kind_of_data_and_layer(found):
    figure = layer_box_panels(found)
    assert [ax.get_title(loc="right") for ax in figure.axes] == ["RoBERTa", "T5"]
    ax = figure.axes[1]
    assert len(ax.patches) == 3 * 3
    medians = [np.median(means_over_tasks(found, "t5")[ADVERSARIAL][layer]) for layer in range(3)]
    drawn = {round(float(y), 6) for line in ax.lines for y in np.atleast_1d(line.get_ydata())}
    assert {round(float(median), 6) for median in medians} <= drawn
    assert most_by_chance(found, "t5") in {y for line in ax.lines for y in line.get_ydata()}
