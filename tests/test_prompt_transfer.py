"""Transfer of soft prompts against slow references: matrices, ratios, types, rank correlations."""

import itertools
import math

import numpy as np
import pandas
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.prompt_transfer import (
    accuracies,
    by_type,
    chance_corrected,
    means_of,
    own_accuracies,
    predicts_transfer,
    relative,
    same_type_gain,
)
from mvp_skill.rank_correlation import spearman

TASKS = ("sst2", "imdb", "qqp", "mrpc", "qnli")
ADVERSARIAL = {"adv_sst2": "sst2", "adv_qqp": "qqp"}
SEEDS = (33, 34, 35)


def measured(seed: int = 0) -> pandas.DataFrame:
    """Random accuracies of every prompt on every task and adversarial set."""
    generator = np.random.default_rng(seed)
    sizes = dict(zip((*TASKS, *ADVERSARIAL), (872, 500, 408, 77, 211, 148, 78), strict=True))
    return pandas.DataFrame(
        [
            {"source": s, "target": t, "seed": k, "acc": generator.uniform(0.3, 1), "n": n}
            for s in TASKS
            for t, n in sizes.items()
            for k in SEEDS
        ]
    ).sample(frac=1, random_state=4)  # in no order


def cell(frame: pandas.DataFrame, source: str, target: str, seed: int) -> float:
    """One accuracy, found by going through the rows."""
    (found,) = [
        r.acc for r in frame.itertuples() if (r.source, r.target, r.seed) == (source, target, seed)
    ]
    return found


def every(found):
    """Places and names of all cells."""
    return itertools.product(*map(enumerate, (found.seeds, found.sources, found.targets)))


# --- matrices -----------------------------------------------------------------------------------


def test_the_matrices_hold_what_the_table_says():
    frame = measured()
    found = accuracies(frame, ADVERSARIAL)
    assert found.values.shape == (3, 5, 7)
    for (i, seed), (j, source), (k, target) in every(found):
        assert found.values[i, j, k] == cell(frame, source, target, seed)
    assert set(found.targets[-2:]) == set(ADVERSARIAL)
    assert dict(zip(found.targets, found.n, strict=True))["adv_qqp"] == 78


def test_the_own_prompt_of_an_adversarial_set_is_that_of_its_task():
    frame = measured()
    found = accuracies(frame, ADVERSARIAL)
    own = own_accuracies(found)
    for (i, seed), (j, target) in itertools.product(
        enumerate(found.seeds), enumerate(found.targets)
    ):
        assert own[i, j] == cell(frame, ADVERSARIAL.get(target, target), target, seed)


def test_relative_is_divided_seed_by_seed_before_the_mean():
    """Mean of ratios, not ratio of means: seeds with other own accuracies must not mix."""
    frame = measured()
    found, ratio = accuracies(frame, ADVERSARIAL), relative(accuracies(frame, ADVERSARIAL))
    for (i, seed), (j, source), (k, target) in every(found):
        own = cell(frame, ADVERSARIAL.get(target, target), target, seed)
        assert ratio.values[i, j, k] == pytest.approx(cell(frame, source, target, seed) / own)
    row = means_of(ratio).query("source == 'qqp' and target == 'imdb'").iloc[0]
    ratios = [cell(frame, "qqp", "imdb", s) / cell(frame, "imdb", "imdb", s) for s in SEEDS]
    assert row["mean"] == pytest.approx(sum(ratios) / 3) and row["n_seeds"] == 3


def test_p9_a_ratio_flatters_weak_tasks_and_the_corrected_one_does_not():
    """On a hard task a guess of 0.5 is 91 % of the own 0.55, and nothing of what was learnt."""
    rows = [("a", "a", 0.55), ("b", "a", 0.5), ("b", "b", 0.9), ("a", "b", 0.5)]
    frame = pandas.DataFrame(rows, columns=["source", "target", "acc"]).assign(seed=0, n=100)
    found = accuracies(frame)
    means = means_of(relative(found)).set_index(["source", "target"])["mean"]
    assert means["b", "a"] == pytest.approx(0.5 / 0.55) and means["a", "a"] == 1
    corrected = means_of(chance_corrected(found, {"a": 0.5, "b": 0.5}))
    means = corrected.set_index(["source", "target"])["mean"]
    assert means["b", "a"] == pytest.approx(0) and means["a", "a"] == pytest.approx(1)


def test_p9_there_is_no_ratio_where_the_own_prompt_is_not_above_the_guess():
    frame = measured()
    guesses = dict.fromkeys((*TASKS, *ADVERSARIAL), 0.65)
    found = accuracies(frame, ADVERSARIAL)
    corrected = chance_corrected(found, guesses)
    n_missing = 0
    for (i, seed), (j, source), (k, target) in every(found):
        own, acc = cell(frame, found.own[k], target, seed), cell(frame, source, target, seed)
        value = corrected.values[i, j, k]
        if own <= 0.65:
            assert math.isnan(value)
            n_missing += 1
        else:
            assert value == pytest.approx((acc - 0.65) / (own - 0.65))
    assert 0 < n_missing < corrected.values.size
    means = means_of(corrected)
    assert means["n_seeds"].min() < 3  # a seed without a value is left out, and counted
    with pytest.raises(BadInput, match="adv_qqp; give one per target"):
        chance_corrected(found, dict.fromkeys((*TASKS, "adv_sst2"), 0.5))


def test_b14_the_standard_deviation_has_ddof_1():
    frame = measured()
    row = means_of(accuracies(frame)).query("source == 'mrpc' and target == 'qnli'").iloc[0]
    values = [cell(frame, "mrpc", "qnli", s) for s in SEEDS]
    mean = sum(values) / 3
    assert row["std"] == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in values) / 2))
    assert row["n"] == 211 and not row["own"]
    one = means_of(accuracies(frame[frame["seed"] == 33]))
    assert one["std"].isna().all() and one["own"].sum() == 5


def test_cells_that_were_not_measured_are_missing():
    frame = measured()
    part = frame[~((frame["source"] == "qqp") & (frame["target"] == "imdb"))]
    row = means_of(accuracies(part)).query("source == 'qqp' and target == 'imdb'").iloc[0]
    assert math.isnan(row["mean"]) and row["n_seeds"] == 0
    assert relative(accuracies(part)).values.shape == (3, 5, 7)


# --- types --------------------------------------------------------------------------------------

TYPES = {"sst2": "s", "imdb": "s", "qqp": "p", "mrpc": "p", "qnli": "n"}
TYPES |= {"adv_sst2": "s", "adv_qqp": "p"}


def slow_type_means(frame, target: str, seed: int) -> tuple[float, float] | None:
    own = ADVERSARIAL.get(target, target)
    same = [s for s in TASKS if TYPES[s] == TYPES[target] and s != own]
    other = [s for s in TASKS if TYPES[s] != TYPES[target]]
    if not same:
        return None
    return tuple(
        sum(cell(frame, s, target, seed) for s in group) / len(group) for group in (same, other)
    )


def test_the_gain_of_the_same_type_is_that_of_a_loop():
    frame = measured()
    gain = same_type_gain(accuracies(frame, ADVERSARIAL), TYPES)
    per_target = []
    for target in (*TASKS, *ADVERSARIAL):
        pairs = [slow_type_means(frame, target, seed) for seed in SEEDS]
        if None not in pairs:
            per_target.append(sum(same - other for same, other in pairs) / 3)
    assert len(per_target) == 6  # QNLI has no other task of its type
    assert gain.mean == pytest.approx(sum(per_target) / 6)
    assert (gain.n, gain.n_seeds) == (6, 3) and gain.low <= gain.mean <= gain.high


def test_a_planted_gain_is_found_and_the_own_prompt_does_not_make_it():
    frame = measured()
    same = [TYPES[r.source] == TYPES[r.target] for r in frame.itertuples()]
    frame["acc"] = np.where(same, 0.8, 0.6)
    gain = same_type_gain(accuracies(frame, ADVERSARIAL), TYPES)
    assert gain[:3] == pytest.approx((0.2, 0.2, 0.2))
    own = frame["source"] == frame["target"]
    frame["acc"] = np.where(own, 1.0, 0.6)
    assert same_type_gain(accuracies(frame, ADVERSARIAL), TYPES).mean == pytest.approx(0)


def test_without_a_second_task_of_a_type_there_is_no_gain():
    frame = measured()
    frame = frame[frame["source"].isin(["sst2", "qqp"]) & frame["target"].isin(["sst2", "qqp"])]
    assert same_type_gain(accuracies(frame), TYPES) is None


def test_the_table_by_type_shows_what_is_compared():
    frame = measured()
    table = by_type(accuracies(frame, ADVERSARIAL)).set_index("target")  # types of the package
    assert table.loc["imdb", "type"] == "sentiment" and table.loc["adv_qqp", "type"] == "paraphrase"
    for target in ("imdb", "adv_qqp"):
        same, other = zip(*(slow_type_means(frame, target, seed) for seed in SEEDS), strict=True)
        assert table.loc[target, "same_type"] == pytest.approx(sum(same) / 3)
        assert table.loc[target, "other_type"] == pytest.approx(sum(other) / 3)
    assert math.isnan(table.loc["qnli", "same_type"])


# --- does a similarity predict transfer? ---------------------------------------------------------


def alike(seed: int = 1) -> pandas.DataFrame:
    """A random similarity of every pair of tasks, in either order of the two."""
    generator = np.random.default_rng(seed)
    return pandas.DataFrame(
        [
            {"first_task": b if k % 2 else a, "second_task": a if k % 2 else b, "seed": k}
            | {"cosine": generator.random()}
            for a, b in itertools.combinations(TASKS, 2)
            for k in SEEDS
        ]
    )


def slow_spearman(x: list[float], y: list[float]) -> float:
    """From the textbook's differences of ranks; no ties."""
    ranks = [[sorted(v).index(value) for value in v] for v in (x, y)]
    n = len(x)
    return 1 - 6 * sum((a - b) ** 2 for a, b in zip(*ranks, strict=True)) / (n * (n * n - 1))


def test_rank_correlations_equal_the_slow_reference_for_each_target_and_seed():
    frame, pairs = measured(), alike()
    found = predicts_transfer(accuracies(frame, ADVERSARIAL), pairs, "cosine")
    assert len(found) == 7 * 3 and set(found["n"]) == {4}
    for row in found.itertuples():
        own = ADVERSARIAL.get(row.target, row.target)
        others = [task for task in TASKS if task != own]
        similar = [
            r.cosine
            for task in others
            for r in pairs.itertuples()
            if {r.first_task, r.second_task} == {task, own} and r.seed == row.seed
        ]
        reached = [cell(frame, task, row.target, row.seed) for task in others]
        assert row.rho == pytest.approx(slow_spearman(similar, reached))


def test_a_similarity_that_orders_sources_as_transfer_does_has_rho_1():
    frame, pairs = measured(), alike()
    keys = pairs[["first_task", "second_task", "seed"]].itertuples(index=False)
    pairs["cosine"] = [cell(frame, a, b, k) + cell(frame, b, a, k) for a, b, k in keys]
    table = frame.set_index(["source", "target", "seed"])["acc"]
    clean = frame[frame["target"].isin(TASKS)].copy()
    clean["acc"] = [
        (table[r.source, r.target, r.seed] + table[r.target, r.source, r.seed]) / 2
        for r in clean.itertuples()
    ]
    found = predicts_transfer(accuracies(clean), pairs, "cosine")
    assert found["rho"].tolist() == pytest.approx([1] * 15)


def test_too_few_sources_or_equal_similarities_have_no_rank_correlation():
    frame, pairs = measured(), alike()
    few = frame[frame["source"].isin(TASKS[:3])]
    found = predicts_transfer(accuracies(few), pairs, "cosine")
    by_target = found.groupby("target")
    assert (
        by_target["n"].first()["sst2"] == 2 and found.query("target == 'sst2'")["rho"].isna().all()
    )
    assert (
        by_target["n"].first()["qnli"] == 3 and found.query("target == 'qnli'")["rho"].notna().all()
    )
    flat = predicts_transfer(accuracies(frame), pairs.assign(cosine=0.5), "cosine")
    assert flat["rho"].isna().all()


def test_spearman_equals_pandas_with_ties_and_any_number_of_points():
    generator = np.random.default_rng(3)
    for n in (2, 5, 30):
        x, y = generator.integers(0, 6, n), generator.integers(0, 6, n) + 0.5
        expected = pandas.DataFrame({"x": x, "y": y}).corr("spearman").loc["x", "y"]
        assert spearman(x, y) == pytest.approx(expected, nan_ok=True)
    assert math.isnan(spearman([1, 1], [1, 2])) and math.isnan(spearman([], []))
    with pytest.raises(BadInput, match="pairs"):
        spearman([1, 2], [1])


# --- what is refused ----------------------------------------------------------------------------


def test_adversarial_sets_are_targets_only():
    frame = measured()
    wrong = pandas.concat([frame, frame[:1].assign(source="adv_sst2")])
    with pytest.raises(BadInput, match="adv_sst2 has no prompt of its own"):
        accuracies(wrong, ADVERSARIAL)


def test_tables_that_cannot_be_meant_are_refused():
    frame = measured()
    with pytest.raises(BadInput, match="twice"):
        accuracies(pandas.concat([frame, frame[:1]]))
    with pytest.raises(BadInput, match="lacks columns n"):
        accuracies(frame.drop(columns="n"))
    with pytest.raises(BadInput, match="lacks rows"):
        accuracies(frame[:0])
    for acc in (1.2, -0.1, float("nan")):
        with pytest.raises(BadInput, match=r"\[0, 1\]"):
            accuracies(frame.assign(acc=acc))
