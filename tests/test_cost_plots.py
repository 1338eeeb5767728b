"""The figure of costs draws what it is given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mvp_skill.cost_plots import costs
from mvp_skill.errors import BadInput


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


FOUND = pd.DataFrame(
    [
        ("films", "MLP-FT", "mlp_ft", 1.0, 1.0, 1.0),
        ("films", "MVP", "mvp", 4.3, 4.6, 3.1),
        ("news", "MVP", "mvp", 4.4, 5.0, 3.9),
    ],
    columns=["task", "name", "method", "step", "tokens", "answer"],
)
TEMPLATES = pd.DataFrame(
    [("films", 4, 4.3, 3.1), ("films", 1, 1.2, 1.1), ("news", 1, 1.3, 1.0)],
    columns=["task", "n", "step", "answer"],
)


def test_values_are_at_the_lines_of_their_victims():
    left, right = costs(FOUND, TEMPLATES).axes
    points = [tuple(map(float, p)) for c in left.collections for p in c.get_offsets()]
    assert {(x, round(y)) for x, y in points} == {
        (1.0, 0), (4.3, 1), (4.6, 1), (3.1, 1), (4.4, 1), (5.0, 1), (3.9, 1)
    }  # fmt: skip
    assert len({y for x, y in points if x in (4.3, 4.4)}) == 2  # tasks beside each other
    assert [label.get_text() for label in left.get_yticklabels()] == ["MLP-FT", "MVP"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in right.lines}
    assert lines["training step, films"] == [[1, 1.2], [4, 4.3]]
    assert lines["an answer, news"] == [[1, 1.0]]
    assert lines["as many as templates"] == [[1, 1], [4, 4]]


def test_without_templates_the_right_side_is_empty():
    left, right = costs(FOUND, TEMPLATES.iloc[:0]).axes
    assert not right.lines and not right.axison and left.collections


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(BadInput, match="lacks columns step"):
        costs(FOUND.drop(columns="step"), TEMPLATES)
    with pytest.raises(BadInput, match="lacks columns n;"):
        costs(FOUND, TEMPLATES.drop(columns="n"))
    with pytest.raises(BadInput, match="lacks rows"):
        costs(FOUND.iloc[:0], TEMPLATES)
