"""Figures of learning curves and of transfer: what is drawn is what is in the table."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest

from mvp_skill.effective_robustness import Line, log_odds
from mvp_skill.errors import BadInput
from mvp_skill.learning_plots import learning_curves, robust_over_clean
from mvp_skill.legends import METHOD_COLOURS
from mvp_skill.transfer_plots import transfer_maps


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    yield
    plt.close("all")


CURVES = pandas.DataFrame(
    [("mvp", 0, 0, 0.7), ("mvp", 25, 0, 0.8), ("mvp", 25, 1, 0.9), ("mlp_ft", 25, 0, 0.6)]
    + [("mlp_ft", 100, 0, 0.9), ("mlp_ft", 100, 1, 0.8)],
    columns=["method", "n_train", "seed", "clean_acc"],
).assign(n=40, n_attacked=10, robust_acc=[0.5, 0.4, 0.3, 0.1, 0.2, 0.6])


def test_the_line_goes_through_the_means_and_every_seed_is_a_point():
    ax = learning_curves(CURVES, chance=0.5)
    drawn = {(line.get_color(), line.get_marker()): line.get_xydata().tolist() for line in ax.lines}
    mvp = METHOD_COLOURS["mvp"]
    assert np.allclose(drawn[mvp, "None"], [[0, 0.7], [25, 0.85]])
    assert drawn[mvp, "o"] == [[0, 0.7], [25, 0.8], [25, 0.9]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "25", "100"]
    left, right = ax.get_xlim()
    assert left < 0 and right > 100 and ax.get_ylim()[1] > 1


def test_robust_over_clean_draws_log_odds_and_the_line_over_the_baseline_only():
    line = Line(-1.0, 0.5)
    ax = robust_over_clean(CURVES, line=line, reference="mlp_ft")
    (drawn,) = ax.lines
    rows = CURVES[CURVES["method"] == "mlp_ft"]
    x = log_odds(rows["clean_acc"], 40)
    assert drawn.get_xdata().tolist() == [x.min(), x.max()]
    assert drawn.get_ydata().tolist() == [line.at(x.min()), line.at(x.max())]
    points = np.concatenate([c.get_offsets() for c in ax.collections])
    assert len(points) == len(CURVES)
    assert np.allclose(sorted(points[:, 1]), sorted(log_odds(CURVES["robust_acc"], 10)))
    places = {
        label.get_text(): place
        for label, place in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
    }
    assert places["0.8"] == pytest.approx(np.log(4))


def test_tables_without_rows_or_columns_are_refused():
    for figure in (learning_curves, robust_over_clean):
        with pytest.raises(BadInput, match="lacks"):
            figure(CURVES.drop(columns="clean_acc"))
        with pytest.raises(BadInput, match="lacks"):
            figure(CURVES.iloc[:0])
    with pytest.raises(BadInput, match="there are none"):
        transfer_maps(CURVES.iloc[:0])


def test_a_heat_map_has_its_means_where_source_and_target_are():
    values = {("imdb", "sst2"): 0.5, ("imdb", "imdb"): 0.9, ("sst2", "sst2"): 0.8}
    values[("sst2", "imdb")] = 0.6
    rows = pandas.DataFrame(
        [
            {"method": m, "source": s, "target": t, "seed": seed, "clean_acc": v + 0.1 * seed}
            for m in ("mlp_ft", "mvp")
            for (s, t), v in sorted(values.items())
            for seed in (0, 1)
        ]
    )
    figure = transfer_maps(rows)
    assert [ax.get_title() for ax in figure.axes] == ["MLP-FT", "MVP"]
    for ax in figure.axes:
        texts = [text.get_text() for text in ax.texts]  # row by row
        assert texts == ["95.0", "55.0", "65.0", "85.0"]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["imdb", "sst2"]
