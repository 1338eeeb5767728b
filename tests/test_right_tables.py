"""Tables of right and wrong: texts of 0 and 1, kept in files."""

import numpy as np
import pandas
import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.right_tables import (
    as_array,
    as_text,
    gain_over,
    over_seeds,
    seed_shares,
    stored_rows,
)

ROWS = pandas.DataFrame(
    [
        {"seed": 0, "draw": 0, "right": "11000"},
        {"seed": 0, "draw": 1, "right": "10000"},
        {"seed": 7, "draw": 0, "right": "11110"},
        {"seed": 7, "draw": 1, "right": "11110"},
    ]
).assign(kind="t5", n=5, acc=[0.4, 0.2, 0.8, 0.8])


def test_texts_and_arrays():
    assert as_text(torch.tensor([False, True, True])) == "011"
    assert as_array(["011", "100"]).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_shares_are_means_over_draws_seed_by_seed():
    assert seed_shares(ROWS).tolist() == [[1, 0.5, 0, 0, 0], [1, 1, 1, 1, 0]]
    with pytest.raises(BadInput, match="same examples"):
        seed_shares(pandas.concat([ROWS, ROWS.assign(right="01")]))


def test_a_point_is_a_mean_over_seeds_of_means_over_draws():
    more = pandas.concat([ROWS, ROWS.iloc[[0]].assign(draw=2, acc=0.6)])  # seed 0 has three
    (point,) = over_seeds(more, ["kind"]).to_dict("records")
    assert point["mean"] == pytest.approx((0.4 + 0.8) / 2)
    assert point["sem"] == pytest.approx(np.std([0.4, 0.8], ddof=1) / np.sqrt(2))
    assert (point["n_seeds"], point["n_draws"], point["n"]) == (2, 2, 5)
    assert np.isnan(over_seeds(ROWS[ROWS["seed"] == 0], ["kind"])["sem"]).all()


def test_rows_are_made_once_and_read_as_they_were(tmp_path):
    made = []

    def make():
        made.append(1)
        return [{"rate": 0.5, "right": "0001"}, {"rate": 1, "right": "1110"}]

    path = tmp_path / "new" / "a.csv"
    first, again = stored_rows(path, make), stored_rows(path, make)
    assert len(made) == 1 and first.equals(again)
    assert list(again["right"]) == ["0001", "1110"], "leading zeros are kept"
    assert list(again["acc"]) == [0.25, 0.75] and list(again["n"]) == [4, 4]


def test_nothing_is_left_of_rows_that_could_not_be_made(tmp_path):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored_rows(tmp_path / "a.csv", fail)
    assert not list(tmp_path.glob("*.csv"))


def test_a_gain_pairs_the_examples_of_each_setting():
    first = pandas.concat([ROWS.assign(data="a"), ROWS.assign(data="b"), ROWS.assign(data="c")])
    second = pandas.DataFrame(
        [
            {"data": "b", "seed": 0, "right": "11010"},  # as `first` but for two examples
            {"data": "a", "seed": 0, "right": "01100"},
        ]
    )
    gain = gain_over(first, second)
    shares = np.array([1, 0.75, 0.5, 0.5, 0])
    means = [(shares - [0, 1, 1, 0, 0]).mean(), (shares - [1, 1, 0, 1, 0]).mean()]
    assert gain.mean == pytest.approx(np.mean(means))
    assert (gain.n, gain.n_seeds) == (10, 1) and gain.low < gain.mean < gain.high
    assert gain_over(first, second.iloc[:0]) is None
    with pytest.raises(BadInput, match="same examples"):
        gain_over(first, second.assign(right="01"))
