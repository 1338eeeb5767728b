"""Metrics against slow references, closed cases and published values."""

import itertools
import math
import random

import pandas as pd
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.metrics import (
    attack_success_rate,
    clean_accuracy,
    compare_robustness,
    label_kept_robust_accuracy,
    label_kept_share,
    mcnemar_exact,
    mean_perturbed_fraction,
    mean_queries,
    robust_accuracy,
    summary,
    wilson_interval,
)


def random_frame(n, seed, outcomes=("succeeded", "failed", "skipped")):
    draw = random.Random(seed)
    rows = []
    for index in range(n):
        outcome = draw.choice(outcomes)
        label = draw.randrange(3)
        rows.append(
            {
                **{"index": index, "label": label, "outcome": outcome, "texts": [f"text {index}"]},
                "clean_pred": (label + 1) % 3 if outcome == "skipped" else label,
                "attacked_pred": label if outcome == "failed" else (label + 1) % 3,
                "n_queries": 1 if outcome == "skipped" else draw.randrange(2, 99),
                "perturbed_fraction": draw.random(),
                "oracle": draw.choice(["kept", "changed", "undecidable", None])
                if outcome == "succeeded"
                else None,
                "error": None,
            }
        )
    return pd.DataFrame(rows)


def slowly(frame):
    """The metrics from the predictions, not from the outcomes, one row at a time."""
    n = right = still = turned = queries = changed = judged = kept = 0
    for row in frame.to_dict("records"):
        n += 1
        if row["clean_pred"] != row["label"]:
            continue
        right += 1
        queries += row["n_queries"]
        if row["attacked_pred"] == row["label"]:
            still += 1
            continue
        turned += 1
        changed += row["perturbed_fraction"]
        judged += isinstance(row["oracle"], str)
        kept += row["oracle"] == "kept"
    return right / n, still / n, turned / right, queries / right, changed / turned, kept / judged


@pytest.mark.parametrize(("n", "seed"), [(17, 0), (53, 1), (101, 2), (997, 3)])
def test_against_a_slow_reference(n, seed):
    frame = random_frame(n, seed)
    functions = (
        *(clean_accuracy, robust_accuracy, attack_success_rate),
        *(mean_queries, mean_perturbed_fraction, label_kept_share),
    )
    assert [f(frame) for f in functions] == pytest.approx(slowly(frame), abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_robust_accuracy_is_clean_accuracy_times_what_the_attack_left(seed):
    frame = random_frame(37, seed)
    expected = clean_accuracy(frame) * (1 - attack_success_rate(frame))
    assert robust_accuracy(frame) == pytest.approx(expected, abs=1e-12)


def test_nothing_to_average_is_nan_and_none_in_the_summary():
    skipped = random_frame(5, 0, ["skipped"])
    assert clean_accuracy(skipped) == robust_accuracy(skipped) == 0.0
    for function in (attack_success_rate, mean_queries, mean_perturbed_fraction, label_kept_share):
        assert math.isnan(function(skipped))
    found = summary(skipped)
    assert found["attack_success_rate"] is None and found["mean_queries"] is None
    failed = random_frame(5, 0, ["failed"])
    assert attack_success_rate(failed) == 0.0 and math.isnan(mean_perturbed_fraction(failed))


def test_summary():
    frame = random_frame(53, 4)
    found = summary(frame)
    assert found["n"] == 53 and found["n_errors"] == 0
    assert found["n_succeeded"] + found["n_failed"] + found["n_skipped"] == 53
    assert found["robust_acc"] == robust_accuracy(frame)
    bounds = wilson_interval(found["n_failed"], 53)
    assert (found["robust_acc_low"], found["robust_acc_high"]) == bounds
    assert found["clean_acc_low"] < found["clean_acc"] < found["clean_acc_high"]
    verdicts = frame["oracle"].value_counts()
    assert {v: found[f"n_{v}"] for v in verdicts.index} == verdicts.to_dict()
    wider = summary(frame, confidence=0.99)
    assert wider["robust_acc_low"] < found["robust_acc_low"]


def test_pitfall_26_the_summary_reports_the_share_of_attacks_that_changed_the_label():
    frame = random_frame(7, 0, ["succeeded"])
    frame["oracle"] = ["kept", "changed", "changed", "undecidable", "kept", "changed", None]
    found = summary(frame)
    assert found["label_kept_share"] == pytest.approx(2 / 6)
    assert (found["n_kept"], found["n_changed"], found["n_undecidable"]) == (2, 3, 1)


def test_robust_accuracy_of_label_keeping_attacks():
    """Two of six successes kept the label, so 1 - 2/8; without the last verdict nobody knows."""
    frame = random_frame(8, 0, ["succeeded"])
    frame.loc[6:, "outcome"] = ["failed", "failed"]
    frame["oracle"] = ["kept", "changed", "changed", "undecidable", "kept", "changed", None, None]
    assert label_kept_robust_accuracy(frame) == summary(frame)["label_kept_robust_acc"] == 6 / 8
    frame.loc[6, "outcome"] = "skipped"  # wrong from the start stays wrong
    assert label_kept_robust_accuracy(frame) == 5 / 8
    frame.loc[0, "oracle"] = None
    assert math.isnan(label_kept_robust_accuracy(frame))


def test_errors_are_counted_and_never_passed_over():
    frame = random_frame(19, 5)
    with_errors = frame.copy()
    with_errors.loc[[3, 11], ["outcome", "error"]] = ["error", "RuntimeError: x"]
    functions = (
        *(clean_accuracy, robust_accuracy, attack_success_rate),
        *(mean_queries, mean_perturbed_fraction, label_kept_share),
    )
    for function in functions:
        with pytest.raises(BadInput, match="2 of 19 examples have no outcome"):
            function(with_errors)
    with pytest.raises(BadInput, match="2 of 19"):
        compare_robustness(with_errors, frame)
    found = summary(with_errors)
    assert found["n_errors"] == 2 and found["n"] == 17
    expected = summary(frame.drop([3, 11]))
    assert {**found, "n_errors": 0} == expected


def test_a_summary_of_errors_only_has_no_numbers():
    found = summary(random_frame(3, 0, ["error"]))
    assert found["n"] == 0 and found["n_errors"] == 3
    assert found["robust_acc"] is None and found["robust_acc_low"] is None


# --- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),  # Newcombe 1998, Table I, method 3
    [
        *((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)),
        *((0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)),
    ],
)
def test_wilson_published_values(k, n, low, high):
    assert wilson_interval(k, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 13, 500])
def test_wilson_ends_are_where_the_score_test_says(n):
    """An end p of the interval is z standard errors of p away from k/n; found by halving."""

    def rejected(k, p):
        return abs(k / n - p) > 1.6448536269514722 * math.sqrt(p * (1 - p) / n)

    for k in range(0, n + 1, max(1, n // 11)):
        ends = []
        for outside in (0.0, 1.0):
            inside = k / n
            for _ in range(60):
                middle = (outside + inside) / 2
                outside, inside = (middle, inside) if rejected(k, middle) else (outside, middle)
            ends.append(inside)
        assert wilson_interval(k, n, confidence=0.9) == pytest.approx(ends, abs=1e-9), k


def test_wilson_closed_cases():
    z2 = 1.959963984540054**2
    assert wilson_interval(0, 10) == pytest.approx((0, z2 / (10 + z2)), abs=1e-12)
    assert wilson_interval(10, 10) == pytest.approx((10 / (10 + z2), 1), abs=1e-12)
    low, high = wilson_interval(7, 14)
    assert low + high == pytest.approx(1, abs=1e-12)
    for k in range(14):
        low, high = wilson_interval(k, 14)
        mirrored = wilson_interval(14 - k, 14)
        assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


@pytest.mark.parametrize(("k", "n", "c"), [(3, 2, 0.9), (-1, 2, 0.9), (0, 0, 0.9), (1, 2, 1.0)])
def test_wilson_refuses(k, n, c):
    with pytest.raises(BadInput, match=f"No interval for {k} of {n}"):
        wilson_interval(k, n, c)


# --- the paired test ----------------------------------------------------------------------------


def p_slowly(b, c):
    """Over all ways the b + c differing examples can fall: the share at least as uneven."""
    falls = list(itertools.product((0, 1), repeat=b + c))
    return sum(abs(2 * sum(fall) - (b + c)) >= abs(b - c) for fall in falls) / len(falls)


@pytest.mark.parametrize(("b", "c"), [(b, c) for b in range(7) for c in range(6)])
def test_mcnemar_against_all_possible_falls(b, c):
    right_a = [True] * b + [False] * c + [True, False, True]
    right_b = [False] * b + [True] * c + [True, False, True]
    order = random.Random(b * 10 + c).sample(range(len(right_a)), len(right_a))
    found = mcnemar_exact([right_a[i] for i in order], [right_b[i] for i in order])
    assert (found.b, found.c) == (b, c)
    assert found.p == pytest.approx(p_slowly(b, c), abs=1e-12)
    assert mcnemar_exact(right_b, right_a).p == found.p


def test_mcnemar_closed_cases():
    assert mcnemar_exact([], []) == (0, 0, 1.0)
    assert mcnemar_exact([True] * 5, [False] * 5) == (5, 0, 2 / 32)
    assert 0 < mcnemar_exact([True] * 1000, [False] * 1000).p < 1e-300  # no overflow
    with pytest.raises(BadInput, match="not 2 and 1 examples"):
        mcnemar_exact([True, False], [True])


def test_compare_robustness_pairs_the_same_examples():
    a, b = random_frame(31, 0), random_frame(31, 1)
    b["label"] = a["label"]
    found = compare_robustness(a, b)
    held_a, held_b = (set(f.index[f["outcome"] == "failed"]) for f in (a, b))
    assert (found.b, found.c) == (len(held_a - held_b), len(held_b - held_a))
    with pytest.raises(BadInput, match="not run on the same examples .texts differs"):
        compare_robustness(a, b.assign(texts=b["texts"].iloc[::-1].tolist()))
    with pytest.raises(BadInput, match="not run on the same examples"):
        compare_robustness(a, b.iloc[:-1])
