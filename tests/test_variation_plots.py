"""The figure of the ablations draws what it is given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.gains import Gain
from mvp_skill.variation_plots import variations


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def frame():
    rows = [
        (task, variation, method, attack, value)
        for task, add in (("films", 0.0), ("news", 0.1))
        for variation, method, base in (("MLP-FT", "mlp_ft", 0.5), ("random words", "mvp", 0.6))
        for attack, value in (("none", base + 0.2 + add), ("textfooler", base + add))
    ]
    found = pd.DataFrame(rows, columns=["task", "variation", "method", "attack", "value"])
    return found.assign(low=found["value"] - 0.05, high=found["value"] + 0.1)


def drawn(ax):
    """(x, line) of all markers, lowest line first."""
    points = [(float(x), float(y)) for c in ax.containers for x, y in c.lines[0].get_xydata()]
    return sorted(points, key=lambda point: point[1])


def test_every_value_is_at_its_line_and_in_its_panel():
    figure = variations(frame(), {"random words": Gain(0.1, -0.02, 0.3, 60, 1)}, {"films": 0.5})
    films, news, gains = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["films", "news", "all tasks"]
    assert [round(x, 2) for x, _ in drawn(films)] == [0.7, 0.5, 0.8, 0.6]  # clean, then attacked
    assert [round(x, 2) for x, _ in drawn(news)] == [0.8, 0.6, 0.9, 0.7]
    assert [round(y) for _, y in drawn(films)] == [0, 0, 1, 1]
    assert [label.get_text() for label in films.get_yticklabels()] == ["MLP-FT", "random words"]
    assert drawn(gains) == [(10.0, 1.0)]
    (bar,) = gains.containers[0].lines[2][0].get_segments()
    assert bar[:, 0].tolist() == pytest.approx([-2, 30])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["constant guess", "clean", "under TextFooler"]


def test_a_variation_that_a_task_lacks_stays_empty():
    found = frame()
    found = found[(found["task"] != "news") | (found["variation"] == "MLP-FT")]
    films, news, gains = variations(found, {}).axes
    assert len(drawn(films)) == 4 and len(drawn(news)) == 2 and not drawn(gains)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(BadInput, match="lacks columns low"):
        variations(frame().drop(columns="low"), {})
    with pytest.raises(BadInput, match="lacks rows"):
        variations(frame().iloc[:0], {})
    with pytest.raises(BadInput, match="several values in one place"):
        variations(pd.concat([frame(), frame()]), {})
