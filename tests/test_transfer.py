"""Transfer between domains: who reads what, the means, the gain and the residual."""

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from mvp_skill.domains import MINI_DOMAINS, REAL_DOMAINS, domains_of, unseen
from mvp_skill.effective_robustness import fit_line, log_odds, share_of
from mvp_skill.errors import BadInput
from mvp_skill.studies import Study
from mvp_skill.transfer import (
    mean_accuracy,
    mean_residual,
    read_domains,
    transfer_gain,
    transfer_rows,
    transfer_table,
    unseen_by_others,
)

A, B, C = "imdb", "sst2", "rotten_tomatoes"


def splits(train: list[str], test: list[str]) -> DatasetDict:
    named = {"train": train, "test": test}
    return DatasetDict(
        {k: Dataset.from_dict({"texts": [[t] for t in v]}) for k, v in named.items()}
    )


def test_a_target_keeps_the_texts_that_no_other_domain_was_trained_on():
    data = {
        A: splits(["one two three four five"], ["own words are kept in place", "free"]),
        B: splits(["own words are not shared here"], ["one two three four five", "free"]),
        C: splits(["own words are kept in place"], ["so one two three four five six", "x"]),
    }
    rows = unseen_by_others(data)
    assert rows == {A: [1], B: [1], C: [1]}
    for target, others in ((A, (B, C)), (B, (A, C)), (C, (A, B))):
        left = data[target]["test"]
        for other in others:
            left = unseen(left, data[other]["train"])
        assert left["texts"] == data[target]["test"].select(rows[target])["texts"]


def read_of(seed: int, share: float, n_seeds: int = 2) -> dict:
    """Three domains with 5, 7 and 9 texts; at home two more, which others were trained on."""
    generator, sizes = np.random.default_rng(seed), {A: 5, B: 7, C: 9}
    return {
        (s, t): generator.random((n_seeds, sizes[t] + 2 * (s == t))) < share
        for s in sizes
        for t in sizes
    }


def test_means_are_those_of_a_loop_and_leave_home_out():
    read = read_of(0, 0.6)
    for own in (False, True):
        for seed in range(2):
            found = [r[seed].tolist() for (s, t), r in read.items() if (s == t) == own]
            expected = sum(sum(row) / len(row) for row in found) / len(found)
            assert mean_accuracy(read, own)[seed] == pytest.approx(expected)


def test_the_gain_is_the_difference_of_the_means():
    better, worse = read_of(1, 0.8), read_of(2, 0.4)
    gain = transfer_gain(better, worse)
    assert gain.mean == pytest.approx(mean_accuracy(better).mean() - mean_accuracy(worse).mean())
    assert gain.n == 5 + 7 + 9 and gain.n_seeds == 2 and gain.low < gain.mean < gain.high


def test_sources_that_read_the_same_texts_do_not_make_the_interval_shorter():
    right, wrong = read_of(3, 0.7, 1), read_of(4, 0.3, 1)
    once = {(s, t): r for (s, t), r in right.items() if s == A or (s, t) == (B, A)}
    base = {pair: wrong[pair] for pair in once}
    more = once | {(C, B): once[A, B], (B, C): once[A, C], (C, A): once[B, A]}
    more_base = base | {(C, B): base[A, B], (B, C): base[A, C], (C, A): base[B, A]}
    assert transfer_gain(more, more_base)[:3] == pytest.approx(transfer_gain(once, base)[:3])


def test_the_residual_is_what_was_planted_above_the_line():
    """A reference on the line away = home, and a victim with the same home and three more right."""
    n, home = 40, [20, 26, 32]
    base = {(A, A): first(home, n), (A, B): first(home, n), (B, B): first(home, n)}
    base |= {(B, A): first(home, n)}
    better = base | {(A, B): first([23, 29, 35], n)}
    assert mean_residual(base, base) == (pytest.approx(0, abs=1e-12), 6)
    assert mean_residual(better, base) == (pytest.approx(3 / 40 / 2), 6)
    line = fit_line(log_odds(np.array([0.5, 0.65]), n), log_odds(np.array([0.5, 0.65]), n))
    assert share_of(line.at(log_odds(0.8, n)), n).item() == pytest.approx(0.8)


def first(counts: list[int], n: int) -> np.ndarray:
    """The first examples are right, [seed, example]."""
    return np.stack([np.arange(n) < count for count in counts])


def test_there_is_no_residual_where_the_baseline_does_not_reach_or_stands_still():
    n = 40
    base = {(A, A): first([20, 30], n), (B, B): first([22, 30], n)}
    base |= {(A, B): first([9, 9], n), (B, A): first([9, 9], n)}
    far = base | {(A, A): first([39, 40], n), (B, B): first([31, 19], n)}
    assert mean_residual(far, base)[1] == 0 and np.isnan(mean_residual(far, base)[0])
    still = {pair: first([30, 30], n) for pair in base}
    assert mean_residual(still, still)[1] == 0


def test_rows_and_table_name_source_and_target():
    read = {pair: r for pair, r in read_of(5, 0.5).items() if C not in pair}
    reads = {"mlp_ft": read, "mvp": read}
    rows = transfer_rows(reads, seeds=(4, 9), backbone="tiny", n_train=11)
    assert len(rows) == 2 * 4 * 2
    row = rows.query("method == 'mvp' and source == @A and target == @B and seed == 9").iloc[0]
    assert row["clean_acc"] == read[A, B][1].mean() and row["n"] == 7 and row["task"] == A
    table = transfer_table(rows)
    assert list(table.columns) == [A, B]
    assert list(table.index) == [(A, "mlp_ft"), (A, "mvp"), (B, "mlp_ft"), (B, "mvp")]
    mean = 100 * read[A, B].mean()
    assert table.loc[(A, "mvp"), B].startswith(f"{mean:.1f}")


def test_victims_of_both_mini_domains_read_both(tmp_path):
    tiny = {"N_TRAIN": 16, "N_VALIDATION": 16, "N_TEST": 20, "EPOCHS": 1}
    study = Study({"OUT": str(tmp_path), "SCALE": "mini", "SEEDS": "0", "DOMAINS": None} | tiny)
    rows = {name: [0, 3, 7] for name in MINI_DOMAINS}
    read = read_domains(study, MINI_DOMAINS, "mlp_ft", seeds=(0,), rows=rows)
    films, restaurants = MINI_DOMAINS
    assert {pair: right.shape for pair, right in read.items()} == {
        (films, films): (1, 20),
        (films, restaurants): (1, 3),
        (restaurants, films): (1, 3),
        (restaurants, restaurants): (1, 20),
    }


def test_domains_come_as_text_and_from_the_scale():
    assert domains_of(None, "mini") == MINI_DOMAINS and domains_of(None, "paper") == REAL_DOMAINS
    assert domains_of("imdb, sst2", "small") == ("imdb", "sst2")


@pytest.mark.parametrize("given", ["imdb", "imdb, imdb", "mini_films, imdb", "", ("mini_news",)])
def test_other_domains_are_refused(given):
    with pytest.raises(BadInput, match="domains"):
        domains_of(given, "mini")


def test_a_study_refuses_them_before_any_work(tmp_path):
    for parameters in ({"DOMAINS": "mini_films, sst2"}, {"SIZES": "0, 25"}):
        with pytest.raises(BadInput):
            Study({"OUT": str(tmp_path), "SEEDS": None} | parameters)
