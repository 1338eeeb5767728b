"""Victims under attack, compared across runs of the main table: means over seeds, gains.

    runs      `load_runs(root)`: a row per metric of a run
    victims   `attacked_victims(runs)`: a row per victim under attack, so of one seed
    means     `over_seeds(victims)`: a row per GROUP, averaged over its seeds

`paper_numbers` has what was published; `reported` puts it beside the means.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame, Series

MAIN_TABLE = "13_main_table"
GROUP = ("task", "backbone", "variant", "attack", "method")
METRICS = ("clean_acc", "robust_acc", "attack_success_rate", "mean_queries")
METRICS += ("label_kept_share", "label_kept_robust_acc")
NO_VALUE = "no published value recorded"
PAPER_NUMBERS = Path(__file__).with_name("paper_numbers.csv")
PAPER_COLUMNS = ("paper", "table", "task", "backbone", "method", "attack", "metric", "value")
PAPER_COLUMNS += ("source", "note")
SETTING = ("backbone", "variant", "attack")


def attacked_victims(runs: "DataFrame") -> "DataFrame":
    """One row per victim that was attacked: GROUP, seed, n (attacked examples) and METRICS.

    A metric that a run could not have (the oracle's share without a success) is NaN.
    """
    import pandas

    keys = [*GROUP, "seed"]
    rows = runs[(runs["notebook"] == MAIN_TABLE) & runs["method"].notna()].copy()
    for key in GROUP:
        rows[key] = rows[key].fillna("").astype(str)
    for key in ("backbone", "variant"):  # of paths, what tells people something
        rows[key] = [re.sub(r"(^|=)[^ =]*[\\/]", r"\1", text) for text in rows[key]]
    options = {"columns": "metric", "values": "value", "aggfunc": "last", "sort": False}
    wide = rows.pivot_table(index=keys, **options).reindex(columns=["n", *METRICS])
    wide = wide.apply(pandas.to_numeric).rename_axis(columns=None).reset_index()
    return wide[wide["robust_acc"].notna()].reset_index(drop=True)


def over_seeds(victims: "DataFrame") -> "DataFrame":
    """Mean and standard deviation over seeds, per GROUP: `robust_acc`, `robust_acc_std`, …

    n          attacked examples per seed (the fewest, if seeds differ)
    n_seeds    how many seeds; with one the standard deviations are NaN
    *_std      of the sample: the squares are divided by n_seeds - 1
    """
    groups = victims.groupby(list(GROUP), sort=False)
    means = groups.agg(n=("n", "min"), n_seeds=("seed", "nunique"))
    means = means.astype({"n": int}).join(groups[list(METRICS)].mean())
    return means.join(groups[list(METRICS)].std().add_suffix("_std")).reset_index()


def gains(means: "DataFrame", one: str = "mvp", other: str = "mlp_ft") -> "DataFrame":
    """What one method has more than another, for each setting in which both were attacked.

    returns   task, backbone, variant, attack, clean_gain, robust_gain, n, n_seeds (of the fewer)
    """
    where = list(GROUP[:-1])
    ours, theirs = (means[means["method"] == method] for method in (one, other))
    both = ours.merge(theirs, on=where, suffixes=("", "_other"))
    for kind in ("clean", "robust"):
        both[f"{kind}_gain"] = both[f"{kind}_acc"] - both[f"{kind}_acc_other"]
    for count in ("n", "n_seeds"):
        both[count] = both[[count, f"{count}_other"]].min(axis=1)
    return both[[*where, "clean_gain", "robust_gain", "n", "n_seeds"]]


def label_kept_robust_acc(victims: "DataFrame") -> "Series":
    """Robust accuracy if only successes that keep the label, so says the oracle, count as such.

        clean_acc * (1 - attack_success_rate * label_kept_share)

    The same number as `metrics.label_kept_robust_accuracy`, from shares instead of examples; NaN
    where no oracle was asked.
    """
    fair = victims["attack_success_rate"] * victims["label_kept_share"]
    fair = fair.mask(victims["attack_success_rate"] == 0, 0.0)
    return victims["clean_acc"] * (1 - fair)


def paper_numbers(paper: str = "mvp") -> "DataFrame":
    """The published numbers of a paper that were seen in a source, with it: PAPER_COLUMNS.

    Nothing is in the file from memory.

    paper    "mvp", or what only says which size to expect, and is never beside numbers of ours:
             "textfooler" (its code rerun by users) and "textattack" (its models)
    raises   BadInput for another paper, or if the file's columns are others
    """
    import pandas

    texts = dict.fromkeys(set(PAPER_COLUMNS) - {"value"}, str)
    frame = pandas.read_csv(PAPER_NUMBERS, dtype=texts, keep_default_na=False)
    if tuple(frame.columns) != PAPER_COLUMNS:
        raise BadInput(f"{PAPER_NUMBERS} must have the columns {', '.join(PAPER_COLUMNS)}.")
    papers = list(frame["paper"].unique())
    if paper not in papers:
        raise BadInput(f"No numbers of the paper {paper!r} are recorded; use {', '.join(papers)}.")
    return frame[frame["paper"] == paper].reset_index(drop=True)
