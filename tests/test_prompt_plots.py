"""Figures of soft prompts: what is drawn is what is in the tables."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from prompt_cases import soft_prompt

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.prompt_similarity import similarities
from mvp_skill.prompt_similarity_plots import row_norms, similarity_bars, similarity_map
from mvp_skill.prompt_transfer import accuracies, means_of, relative
from mvp_skill.prompt_transfer_plots import transfer_map
from mvp_skill.type_legends import TYPE_COLOURS

TASKS = ("qqp", "qnli", "sst2", "imdb")


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    plots.style()
    yield
    plt.close("all")


def transfer(acc: float | None = None):
    generator = np.random.default_rng(0)
    rows = [
        {"source": s, "target": t, "seed": 0, "n": 50}
        | {"acc": generator.random() if acc is None else acc}
        for s in TASKS
        for t in (*TASKS, "adv_sst2")
    ]
    return accuracies(pandas.DataFrame(rows), {"adv_sst2": "sst2"})


def texts_of(ax) -> dict[tuple[int, int], str]:
    """Row and column to the text drawn in the cell."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in ax.texts}


def test_b14_cells_are_rounded_and_not_cut():
    found = transfer(0.667)
    assert set(texts_of(transfer_map(means_of(found))).values()) == {"67"}


def test_the_cells_are_where_the_table_says():
    found = transfer()
    means = means_of(found)
    drawn = texts_of(transfer_map(means))
    assert len(drawn) == 20
    for row in means.itertuples():
        place = (found.sources.index(row.source), found.targets.index(row.target))
        assert drawn[place] == f"{100 * row.mean:.0f}"


def test_the_scale_is_the_same_for_every_map_and_a_missing_cell_is_a_dash():
    found = transfer(0.4)
    found.values[0, 1, 2] = np.nan
    for means in (means_of(found), means_of(relative(found))):
        ax = transfer_map(means)
        assert ax.collections[0].get_clim() == (0, 100)
        assert ax.collections[0].get_cmap().name == "viridis"
        assert texts_of(ax)[1, 2] == "–"


def test_ticks_have_the_colours_of_types_and_own_prompts_a_frame():
    ax = transfer_map(means_of(transfer()))
    colours = {label.get_text(): to_hex(label.get_color()) for label in ax.get_xticklabels()}
    assert colours["imdb"] == colours["adv_sst2"] == TYPE_COLOURS["sentiment"].lower()
    assert colours["qqp"] == TYPE_COLOURS["paraphrase"].lower()
    frames = {p.get_xy() for p in ax.patches if isinstance(p, Rectangle)}
    assert frames == {(0, 0), (1, 1), (2, 2), (3, 3), (4, 2)}  # the last: AdvSST2, prompt of SST2
    assert ax.lines[0].get_xdata()[0] == 4  # parts the adversarial set from the others
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "paraphrase",
        "NLI",
        "sentiment",
    ]


def test_tasks_of_no_known_type_are_black_and_have_no_legend():
    frame = pandas.DataFrame(
        [
            {"source": s, "target": t, "seed": 0, "n": 5, "acc": 0.5}
            for s, t in itertools.product("ab", "ab")
        ]
    )
    ax = transfer_map(means_of(accuracies(frame)))
    assert to_hex(ax.get_xticklabels()[0].get_color()) == "#000000" and ax.get_legend() is None
    ax = transfer_map(means_of(accuracies(frame)), types={"a": "NLI", "b": "NLI"})
    assert to_hex(ax.get_xticklabels()[0].get_color()) == TYPE_COLOURS["NLI"].lower()


PROMPTS = [soft_prompt(task, seed) for task in ("sst2", "qqp", "imdb") for seed in (33, 34)]


def test_a_similarity_map_is_symmetric_with_an_empty_diagonal():
    frame = similarities(PROMPTS)
    ax = similarity_map(frame, "cosine")
    drawn = ax.collections[0].get_array().reshape(6, 6)
    assert np.ma.getmaskarray(drawn).diagonal().all()
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert names == ["qqp-s33", "qqp-s34", "imdb-s33", "imdb-s34", "sst2-s33", "sst2-s34"]
    for row in frame.itertuples():
        i, j = names.index(row.first), names.index(row.second)
        assert drawn[i, j] == drawn[j, i] == row.cosine
    assert to_hex(ax.get_yticklabels()[0].get_color()) == TYPE_COLOURS["paraphrase"].lower()


def test_bars_are_the_means_and_dots_the_pairs():
    frame = similarities(PROMPTS)
    both = pandas.concat(
        [frame.assign(series="one"), frame.assign(series="two", cosine=frame["cosine"] + 1)]
    )
    ax = similarity_bars(both, "cosine")
    heights = [bar.get_height() for bar in ax.patches]
    means = [
        frame[frame["pair"] == p]["cosine"].mean() for p in ("same task", "same type", "other type")
    ]
    assert heights == pytest.approx([*means, *(mean + 1 for mean in means)])
    dots = np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() == "o"])
    assert sorted(dots) == pytest.approx(sorted(both["cosine"]))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["one", "two"]
    assert ax.get_ylabel() == "cosine"


def test_a_series_that_lacks_the_first_kind_of_pair_is_still_in_the_legend():
    frame = similarities(PROMPTS).assign(series="all")
    other = frame[frame["pair"] == "other type"].assign(series="few")
    ax = similarity_bars(pandas.concat([frame, other]), "token_cosine")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["all", "few"]
    assert ax.get_ylabel() == "token cosine"


def test_tables_without_a_column_are_refused():
    for draw in (
        transfer_map,
        lambda t: similarity_map(t, "cosine"),
        lambda t: similarity_bars(t, "x"),
    ):
        with pytest.raises(BadInput, match="lacks columns"):
            draw(pandas.DataFrame({"mean": [1.0]}))


def test_rows_are_drawn_as_long_as_they_are_and_row_0_is_marked():
    rows = [
        {"name": name, "row": i, "norm": 10.0**i + k}
        for k, name in enumerate(("a", "b"))
        for i in range(3)
    ]
    ax = row_norms(pandas.DataFrame(rows))
    assert ax.get_yscale() == "log"
    *lines, marks = ax.lines
    assert [line.get_ydata().tolist() for line in lines] == [[1, 10, 100], [2, 11, 101]]
    assert marks.get_ydata().tolist() == [1, 2]
