"""Figures of skill neurons on adversarial data show the numbers they are given."""

from functools import partial

import matplotlib.pyplot as plt
import pandas
import pytest
import torch
from test_carry_over import AUC, planted

from mvp_skill import carry_over_plots
from mvp_skill.carry_over import compared, correlation_of_layers, precisions


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def cases():
    return {("roberta", "mini_films"): planted(adversarial=0), ("t5", "mini_films"): planted()}


def test_curves_show_the_mean_and_two_bands():
    fractions = [0.05, 0.1, 0.3]
    found = {
        key: compared(one, partial(precisions, fractions=fractions)) for key, one in cases().items()
    }
    figure = carry_over_plots.precision_panels(found, fractions)
    assert [ax.get_title() for ax in figure.axes] == ["RoBERTa, mini_films", "T5, mini_films"]
    for ax, one in zip(figure.axes, found.values(), strict=True):
        line = next(line for line in ax.lines if line.get_marker() != "None")
        assert line.get_ydata().tolist() == pytest.approx(one.mean.tolist())
        control, null = (band.get_paths()[0].vertices[:, 1] for band in ax.collections[:2])
        assert control.max() == pytest.approx(one.control.max().item())
        assert null.min() == pytest.approx(one.null.min().item())


def test_layers_are_numbered_from_one():
    found = {key: compared(one, correlation_of_layers) for key, one in cases().items()}
    figure = carry_over_plots.layer_panels(found, 3)
    assert figure.axes[0].get_xticks().tolist() == [1, 2, 3]


def test_b14_histograms_hold_every_neuron():
    found = cases()
    found["t5", "mini_films"].adversarial[0, 0, 8] = 1.0  # the last bin has its upper end, too
    figure = carry_over_plots.histogram_panels(found, 0.1)
    for ax in figure.axes:
        assert sum(bar.get_height() for bar in ax.patches[:10]) == pytest.approx(1)


def test_points_stand_beside_both_references():
    rows = []
    for (kind, task), one in cases().items():
        auc = compared(one, AUC)
        ends = {
            f"{name}_{end}": getattr(values, f"a{end}")().item()
            for name, values in (("null", auc.null), ("control", auc.control))
            for end in ("min", "max")
        }
        ends = {k.replace("min", "low").replace("max", "high"): v for k, v in ends.items()}
        own = auc.own.mean().item()
        rows.append(
            {"kind": kind, "task": task, "auc": auc.mean.item(), "sd": 0.01, "own": own} | ends
        )
    ax = carry_over_plots.auc_points(pandas.DataFrame(rows))
    drawn = [line.get_ydata()[0] for line in ax.lines if line.get_marker() in "os"]
    assert drawn == pytest.approx([v for row in rows for v in (row["auc"], row["own"])])
    shown = {text.get_text() for text in ax.get_legend().get_texts()}
    assert {"RoBERTa", "T5", "clean samples of that size", "labels permuted"} <= shown
    assert isinstance(torch.tensor(drawn).mean().item(), float)
