"""Figures: what is drawn is what is in the table; and the marking of changed words."""

import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas
import pytest

from mvp_skill import plots
from mvp_skill.errors import BadInput
from mvp_skill.legends import METHOD_COLOURS
from mvp_skill.metrics import summary, wilson_interval
from mvp_skill.tables import (
    adversarial_table,
    as_percent,
    attack_table,
    left_aligned,
    mark_changes,
)


@pytest.fixture(autouse=True)
def closed_figures():
    mpl.use("Agg")
    yield
    plt.close("all")


ACCURACIES = pandas.DataFrame(
    [
        {"method": "mvp", "metric": "clean_acc", "value": 0.9, "n": 200},
        {"method": "mvp", "metric": "robust_acc", "value": 0.5, "n": 200},
        {"method": "mlp_ft", "metric": "clean_acc", "value": 0.95, "n": 200},
        {"method": "mlp_ft", "metric": "robust_acc", "value": 0.0, "n": 200},
    ]
)
LOG = pandas.DataFrame(
    [
        ("mvp", "succeeded", 11, 0.1),
        ("mvp", "failed", 31, 0.0),
        ("mvp", "skipped", 1, 0.0),
        ("mlp_ft", "succeeded", 7, 0.3),
        ("mlp_ft", "succeeded", 9, 0.2),
        ("mlp_ft", "error", 99, 0.0),
    ],
    columns=["method", "outcome", "n_queries", "perturbed_fraction"],
)


def points(ax, method: str) -> list[tuple[float, float]]:
    """Where the markers of a method are."""
    colour = METHOD_COLOURS[method]
    lines = [line for line in ax.lines if line.get_color() == colour and line.get_marker() in "os"]
    return [tuple(point) for point in lines[0].get_xydata()]


def test_accuracies_are_points_with_wilson_intervals_and_a_chance_line():
    ax = plots.accuracies(ACCURACIES, chance=0.25)
    assert [y for _, y in points(ax, "mvp")] == [0.9, 0.5]
    assert [y for _, y in points(ax, "mlp_ft")] == [0.95, 0.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["clean", "under attack"]
    assert ax.get_ylim() == (0, 1)
    bars = {
        container.get_label(): [segment[:, 1] for segment in container[2][0].get_segments()]
        for container in ax.containers
    }
    assert bars["MVP"][1] == pytest.approx(wilson_interval(100, 200))
    assert bars["MLP-FT"][1] == pytest.approx(wilson_interval(0, 200))
    chance = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in chance] == [0.25]


def test_accuracies_stand_side_by_side_in_a_fixed_order_and_colour():
    ax = plots.accuracies(ACCURACIES.iloc[::-1])
    assert points(ax, "mlp_ft")[0][0] < 0 < points(ax, "mvp")[0][0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["MLP-FT", "MVP"]


def test_the_papers_values_are_open_markers():
    frame = ACCURACIES.assign(reported=[0.94, 0.6, math.nan, math.nan])
    ax = plots.accuracies(frame)
    open_markers = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert [list(line.get_ydata()) for line in open_markers] == [[0.94, 0.6]]
    assert open_markers[0].get_label() == "MVP, paper"


def test_a_method_without_one_of_the_metrics_is_drawn_at_its_place():
    ax = plots.accuracies(ACCURACIES[1:])
    ((x, y),) = points(ax, "mvp")
    assert 0.5 < x < 1.5 and y == 0.5


def test_training_curves_mark_the_first_best_evaluation():
    frame = pandas.DataFrame(
        [("mvp", 30, 0.8), ("mvp", 10, 0.6), ("mvp", 20, 0.8), ("mlp_ft", 10, 0.5)],
        columns=["method", "n_examples", "clean_acc"],
    )
    ax = plots.training_curves(frame, chance=0.5)
    curve, best = [line for line in ax.lines if line.get_color() == plots.colour("mvp")]
    assert curve.get_xydata().tolist() == [[10, 0.6], [20, 0.8], [30, 0.8]]
    assert best.get_xydata().tolist() == [[20, 0.8]]


def test_the_histogram_counts_what_was_attacked():
    ax = plots.query_histogram(LOG)
    drawn = {patch.get_label(): patch.get_xy()[:, 1] for patch in ax.patches}
    assert drawn.keys() == {"MVP (n = 2)", "MLP-FT (n = 2)"}
    assert all(sum(heights[1:-1:2]) == 2 for heights in drawn.values())
    assert {line.get_xdata()[0] for line in ax.lines} == {8.0, 21.0}


def test_a_given_ax_is_drawn_on_and_returned():
    _, ax = plt.subplots()
    assert plots.query_histogram(LOG, ax) is ax


@pytest.mark.parametrize(
    ("draw", "frame", "said"),
    [
        (plots.accuracies, ACCURACIES.drop(columns="n"), "lacks columns n; it has method, metric"),
        (plots.accuracies, ACCURACIES[:0], "lacks rows"),
        (plots.accuracies, pandas.concat([ACCURACIES] * 2), "one row per method and metric"),
        (plots.query_histogram, ACCURACIES, "lacks columns outcome, n_queries"),
    ],
)
def test_tables_that_cannot_be_drawn_are_refused(draw, frame, said):
    with pytest.raises(BadInput, match=said):
        draw(frame)


def test_other_methods_have_a_colour_of_their_own_that_stays():
    assert plots.colour("lpft") == plots.colour("lpft") != plots.colour("mvp")
    assert len(set(METHOD_COLOURS.values())) == len(METHOD_COLOURS)


def test_figures_are_saved_twice_with_the_same_bytes(tmp_path):
    plots.style()
    plots.accuracies(ACCURACIES)
    first = plots.save_figure("accuracies", tmp_path / "a")
    second = plots.save_figure("accuracies", tmp_path / "b")
    assert [path.name for path in first] == ["accuracies.png", "accuracies.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[0].read_bytes().startswith(b"\x89PNG") and b"%PDF" in first[1].read_bytes()[:8]
    assert b"CreationDate" not in first[1].read_bytes()


# --- marked words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("a good film", "a good film", "a good film"),
        ("a good film", "a fine film", "a <del>good</del> <mark>fine</mark> film"),
        ("a b c", "a x y", "a <del>b c</del> <mark>x y</mark>"),
        ("a b", "a", "a <del>b</del>"),
        ("a", "a b", "a <mark>b</mark>"),
        ("<b> & c", "<b> & d", "&lt;b&gt; &amp; <del>c</del> <mark>d</mark>"),
    ],
)
def test_changed_words_are_marked_and_everything_is_escaped(text, changed, expected):
    assert mark_changes(text, changed) == expected


def attack_log() -> pandas.DataFrame:
    rows = [
        (0, 1, "failed", ["a"], ["a"], 3, None),
        (0, 1, "succeeded", ["p one", "q?"], ["p two", "q?"], 5, "kept"),
        (1, 0, "succeeded", ["x"], ["y"], 7, None),
    ]
    columns = [
        "label",
        "attacked_pred",
        "outcome",
        "texts",
        "attacked_texts",
        "n_queries",
        "oracle",
    ]
    return pandas.DataFrame(rows, columns=columns)


def test_the_table_of_attacks_shows_successes_with_both_columns_of_a_pair():
    table = adversarial_table(attack_log(), ["no", "yes"])
    assert table.count("<tr>") == 3
    cells = ["p <del>one</del> <mark>two</mark><br>q?", "no", "yes", "5"]
    assert "".join(f'<td style="text-align: left">{cell}</td>' for cell in cells) in table
    assert ">kept</td>" in table and ">–</td>" in table and "nan" not in table.lower()
    assert adversarial_table(attack_log(), ["no", "yes"], n=1).count("<tr>") == 2


def test_without_an_oracle_the_table_has_no_column_for_it():
    assert "oracle" not in adversarial_table(attack_log().assign(oracle=None), ["no", "yes"])


def test_a_log_without_a_success_says_so():
    log = attack_log()
    assert adversarial_table(log[log["outcome"] != "succeeded"], ["no", "yes"]).count("<tr>") == 0


def test_a_table_of_words_is_aligned_to_the_left_and_shows_markup():
    shown = left_aligned(pandas.DataFrame({"reads": ["<s>a & b"], "n": [1]})).to_html()
    assert "&lt;s&gt;a &amp; b" in shown and "text-align: left" in shown


def test_the_table_of_victims_has_a_row_per_metric():
    log = attack_log().assign(perturbed_fraction=0.1)
    found = summary(log)
    table = attack_table({"MVP": found, "none": summary(log.iloc[:0])})
    assert list(table.columns) == ["MVP", "none"]
    assert table.at["robust accuracy", "MVP"].startswith(as_percent(found["robust_acc"]) + " (")
    assert f"to {as_percent(found['robust_acc_high'])[:-2]})" in table.at["robust accuracy", "MVP"]
    assert table.at["attacked examples (n)", "MVP"] == str(found["n"])
    assert table.at["queries per attacked example", "none"] == "–"


def test_shares_as_percentages():
    assert [as_percent(x) for x in (0.7525, 0.0, None, math.nan)] == ["75.2 %", "0.0 %", "–", "–"]


def test_zero_shot_draws_single_readings_with_intervals_and_draws_as_dots():
    frame = pandas.DataFrame(
        [("a [MASK]", "one template", 0.75, 40), ("both", "pooled", 1.0, 40)]
        + [("random", "random words", value, 40) for value in (0.4, 0.5, 0.7)],
        columns=["reading", "kind", "clean_acc", "n"],
    )
    ax = plots.zero_shot(frame, chance=0.5)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a [MASK]", "both", "random"]
    assert ax.get_ylim() == (2.5, -0.5)  # the first row is on top
    segments = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections]
    assert segments == [pytest.approx(wilson_interval(k, 40)) for k in (30, 40)]
    dots = [line for line in ax.lines if line.get_color() == plots.CHANCE_COLOUR]
    assert sorted(dots[0].get_xdata().tolist()) == [0.4, 0.5, 0.7]
    assert set(dots[0].get_ydata()) == {2}


def test_queries_are_drawn_in_order_and_by_step():
    steps = list(plots.STEP_COLOURS)
    frame = pandas.DataFrame(
        [(1, steps[0], 0.9), (2, steps[1], 0.8), (3, steps[1], 0.6), (4, steps[2], 0.2)],
        columns=["query", "step", "probability"],
    )
    ax = plots.queries(frame)
    path, *dots = ax.lines
    assert path.get_xydata().tolist() == frame[["query", "probability"]].to_numpy().tolist()
    assert {d.get_label(): d.get_xdata().tolist() for d in dots} == {
        steps[0]: [1],
        steps[1]: [2, 3],
        steps[2]: [4],
    }
    assert [d.get_color() for d in dots] == list(plots.STEP_COLOURS.values())


def test_the_look_is_seaborns_and_ours():
    import seaborn

    def settings(act) -> dict:
        with mpl.rc_context():
            mpl.rcdefaults()
            act()
            found = dict(mpl.rcParams)
        cycle = found["axes.prop_cycle"].by_key()["color"]
        return found | {"axes.prop_cycle": [mpl.colors.to_hex(colour) for colour in cycle]}

    theirs = settings(lambda: seaborn.set_theme(context="notebook", style="whitegrid"))
    ours = settings(plots.style)
    different = {name for name in theirs if theirs[name] != ours[name]}
    own = {"figure.figsize", "figure.constrained_layout.use", "savefig.dpi", "pdf.fonttype"}
    own |= {"axes.spines.top", "axes.spines.right"}
    assert different == own | {"image.cmap"}  # which no figure leaves to its default
