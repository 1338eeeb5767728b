"""Accuracies of prompt-tuned models: rows, means, what counts, tables."""

from statistics import fmean, stdev

import numpy as np
import pytest
from scipy.stats import binomtest

from mvp_skill.errors import BadInput
from mvp_skill.intervals import bootstrap_interval
from mvp_skill.prompt_accuracy import (
    counts_of,
    for_people,
    learnt,
    least_above_majority,
    majority_rate,
    over_seeds,
    per_seed,
)

GENERATOR = np.random.default_rng(7)
SHARES = {("roberta", "a"): 0.9, ("roberta", "b"): 0.6, ("t5", "a"): 0.8}
SIZES = {"a": 37, "b": 21}
RIGHT = {
    (kind, task, seed): GENERATOR.random(SIZES[task]) < share
    for (kind, task), share in SHARES.items()
    for seed in (33, "su", 5)
}
MAJORITY = {"a": 0.5, "b": 0.55}


def test_a_row_per_prompt_has_the_exact_interval():
    rows = per_seed(RIGHT, MAJORITY)
    assert len(rows) == 9
    for row in rows.itertuples():
        found = RIGHT[row.kind, row.task, row.seed]
        assert (row.acc, row.n) == (found.mean(), SIZES[row.task])
        interval = binomtest(int(found.sum()), row.n).proportion_ci()
        assert (row.low, row.high) == pytest.approx(tuple(interval))
        assert row.majority_acc == MAJORITY[row.task]


def test_a_mean_over_seeds_counts_the_examples_of_one_seed():
    means = over_seeds(RIGHT, MAJORITY).set_index(["kind", "task"])
    assert list(means.index) == list(SHARES)  # in the order in which they come
    for kind, task in SHARES:
        accs = [float(RIGHT[kind, task, seed].mean()) for seed in (33, "su", 5)]
        row = means.loc[(kind, task)]
        assert row["mean"] == pytest.approx(fmean(accs))
        assert row["std"] == pytest.approx(stdev(accs))  # divides by the number of seeds - 1
        assert (row["n"], row["n_seeds"]) == (SIZES[task], 3)
        k = round(fmean(accs) * SIZES[task])
        assert (row["low"], row["high"]) == pytest.approx(
            tuple(binomtest(k, SIZES[task]).proportion_ci())
        )
        both = np.stack([RIGHT[kind, task, seed] for seed in (33, "su", 5)])
        assert (row["drawn_low"], row["drawn_high"]) == bootstrap_interval(both)


def test_one_seed_has_no_spread():
    one = {key: found for key, found in RIGHT.items() if key[2] == "su"}
    means = over_seeds(one, MAJORITY)
    assert means["std"].isna().all() and list(means["n_seeds"]) == [1, 1, 1]
    assert "±" not in for_people(means, {}).to_string()


def test_seeds_on_other_examples_are_refused():
    with pytest.raises(ValueError, match="shape"):
        over_seeds({("t5", "a", 0): np.ones(3, bool), ("t5", "a", 1): np.ones(4, bool)}, {"a": 0.5})


@pytest.mark.parametrize(("labels", "rate"), [([1, 1, 0], 2 / 3), ([0], 1.0), ([0, 2, 1, 2], 0.5)])
def test_the_majority_rate_is_that_of_the_commonest_class(labels, rate):
    assert majority_rate(labels) == rate


def test_no_labels_have_no_majority():
    with pytest.raises(BadInput, match="at least one label"):
        majority_rate([])


def test_b1_a_flagged_prompt_counts_in_no_claim():
    means = over_seeds(RIGHT, MAJORITY, {("roberta", "a", "su")})
    assert list(means["flagged"]) == [True, False, False]
    assert list(zip(*counts_of(means)[["kind", "task"]].to_numpy().T, strict=True)) == [
        ("roberta", "b"),
        ("t5", "a"),
    ]
    assert not learnt(means)["roberta", "a"] and learnt(means)["t5", "a"]
    assert learnt(over_seeds(RIGHT, MAJORITY))["roberta", "a"]
    assert least_above_majority(means, "roberta").task == "b"
    text = for_people(means, {"roberta": "RoBERTa", "t5": "T5"})
    assert text.loc["a", "RoBERTa"].endswith("*") and not text.loc["a", "T5"].endswith("*")


def test_the_worst_task_is_the_one_nearest_to_its_majority_rate():
    means = over_seeds(RIGHT, MAJORITY)
    worst = least_above_majority(means, "roberta")
    by_hand = {
        task: fmean(float(RIGHT["roberta", task, seed].mean()) for seed in (33, "su", 5))
        - MAJORITY[task]
        for task in ("a", "b")
    }
    assert worst.task == min(by_hand, key=by_hand.get) and worst.n_tasks == 2
    assert worst.margin == pytest.approx(min(by_hand.values()))
    assert least_above_majority(means, "gpt2") is None


def test_a_table_for_people_has_a_row_per_task_and_a_dash_where_nothing_is():
    table = for_people(over_seeds(RIGHT, MAJORITY), {"roberta": "RoBERTa", "t5": "T5"})
    assert list(table.index) == ["a", "b"]
    assert list(table) == ["RoBERTa", "T5", "majority rate", "n", "seeds"]
    assert table.loc["b", "T5"] == "–" and table.loc["b", "majority rate"] == "55.0 %"
    accs = [100 * RIGHT["t5", "a", seed].mean() for seed in (33, "su", 5)]
    assert table.loc["a", "T5"].startswith(f"{fmean(accs):.1f} ± {stdev(accs):.1f} % (")
