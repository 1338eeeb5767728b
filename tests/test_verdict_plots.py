"""The audit's figure: bars as long as their shares, in the order of the verdicts."""

import matplotlib.pyplot as plt
import pandas
import pytest
from matplotlib.colors import to_hex

from mvp_skill.errors import BadInput
from mvp_skill.verdict_plots import VERDICT_COLOURS, verdict_bars


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def counts(**attacks):
    return pandas.DataFrame.from_dict(
        attacks, orient="index", columns=["undecidable", "kept", "changed"]
    )


def drawn(ax, place):
    """Colour, start and length of the pieces of one bar, from left to right."""
    pieces = [bar for bar in ax.patches if abs(bar.get_y() + bar.get_height() / 2 - place) < 0.1]
    found = [(to_hex(bar.get_facecolor()), bar.get_x(), bar.get_width()) for bar in pieces]
    return sorted(found, key=lambda piece: piece[1])


def test_a_bar_is_cut_into_the_shares_of_its_verdicts():
    ax = verdict_bars(counts(a=[1, 5, 2], b=[0, 0, 3], c=[0, 0, 0]))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["a (n = 8)", "b (n = 3)", "c (n = 0)"]
    shades = [VERDICT_COLOURS[verdict].lower() for verdict in ("kept", "changed", "undecidable")]
    pieces = drawn(ax, 0)
    assert [shade for shade, _, _ in pieces] == shades
    ends = [number for _, *piece in pieces for number in piece]
    assert ends == pytest.approx([0, 5 / 8, 5 / 8, 2 / 8, 7 / 8, 1 / 8])
    assert drawn(ax, 1) == [(shades[1], 0, 1)] and drawn(ax, 2) == []
    assert sorted(text.get_text() for text in ax.texts) == ["1", "2", "3", "5"]


def test_a_table_without_the_counts_is_refused():
    with pytest.raises(BadInput, match="lacks columns undecidable"):
        verdict_bars(counts(a=[1, 5, 2]).drop(columns="undecidable"))
    with pytest.raises(BadInput, match="lacks rows"):
        verdict_bars(counts())
