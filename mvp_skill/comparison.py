"""Victims under attack, compared across runs of the main table: means over seeds, gains.

    runs      `load_runs(root)`: a row per metric of a run
    victims   `attacked_victims(runs)`: a row per victim under attack, so of one seed
    means     `over_seeds(victims)`: a row per GROUP, averaged over its seeds

A scale's tables are about one backbone, `own_backbone`; `other_backbones` has the others.
`paper_numbers` has what was published; `reported` puts it beside the means.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.errors import BadInput
from mvp_skill.learnt import learnt
from mvp_skill.scales import STUDIES

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
# Of a victim's row without an attack, which is about the whole test split.
WHOLE = {"clean_acc": "test_acc", "n": "n_test", "constant_guess": "constant_guess"}


def attacked_victims(runs: "DataFrame") -> "DataFrame":
    """One row per victim that was attacked: GROUP, seed, n (attacked examples) and METRICS.

    A metric that a run could not have (the oracle's share without a success) is NaN. Of its whole
    test split: test_acc, n_test and constant_guess.
    """
    import pandas

    keys = [*GROUP, "seed"]
    rows = runs[(runs["notebook"] == MAIN_TABLE) & runs["method"].notna()].copy()
    for key in GROUP:
        rows[key] = rows[key].fillna("").astype(str)
    for key in ("backbone", "variant"):
        rows[key] = rows[key].map(without_folders)
    options = {"columns": "metric", "values": "value", "aggfunc": "last", "sort": False}
    wide = rows.pivot_table(index=keys, **options).reindex(
        columns=["n", *METRICS, "constant_guess"]
    )
    wide = wide.apply(pandas.to_numeric).rename_axis(columns=None).reset_index()
    on = ["task", "backbone", "variant", "method", "seed"]
    whole = wide.loc[wide["attack"] == "none", [*on, *WHOLE]].rename(columns=WHOLE)
    attacked = wide[wide["robust_acc"].notna()].drop(columns="constant_guess")
    return attacked.merge(whole, on=on, how="left")


def over_seeds(victims: "DataFrame") -> "DataFrame":
    """Mean and standard deviation over seeds, per GROUP: `robust_acc`, `robust_acc_std`, …

    n          attacked examples per seed (the fewest, if seeds differ)
    n_seeds    how many seeds; with one the standard deviations are NaN
    *_std      of the sample: the squares are divided by n_seeds - 1
    learnt     whether the victim has learnt the task; <NA> where the runs do not say
    """
    groups = victims.groupby(list(GROUP), sort=False)
    means = groups.agg(n=("n", "min"), n_seeds=("seed", "nunique"))
    means = means.astype({"n": int}).join(groups[list(METRICS)].mean())
    means = means.join(groups[list(METRICS)].std().add_suffix("_std"))
    whole = groups.agg(
        acc=("test_acc", "mean"), n=("n_test", "min"), guess=("constant_guess", "max")
    )
    means["learnt"] = learnt(whole["acc"], whole["n"], whole["guess"]).to_numpy()
    return means.astype({"learnt": "boolean"}).reset_index()


def gains(means: "DataFrame", one: str = "mvp", other: str = "mlp_ft") -> "DataFrame":
    """What one method has more than another, for each setting in which both were attacked.

    returns   task, backbone, variant, attack, clean_gain, robust_gain, n, n_seeds (of the fewer),
              learnt (whether both have learnt the task), learnt_other (whether the other has)
    """
    where = list(GROUP[:-1])
    ours, theirs = (means[means["method"] == method] for method in (one, other))
    both = ours.merge(theirs, on=where, suffixes=("", "_other"))
    for kind in ("clean", "robust"):
        both[f"{kind}_gain"] = both[f"{kind}_acc"] - both[f"{kind}_acc_other"]
    for count in ("n", "n_seeds"):
        both[count] = both[[count, f"{count}_other"]].min(axis=1)
    both["learnt"] &= both["learnt_other"]
    columns = ["clean_gain", "robust_gain", "n", "n_seeds", "learnt", "learnt_other"]
    return both[[*where, *columns]]


def own_backbone(backbones: "Series", scale: str) -> str:
    """Of the backbones that runs had, the one that the scale's tables are about.

    The scale's own; where no run had it (folders of checkpoints go by names of their own), the
    commonest.
    """
    own = without_folders(STUDIES[scale].backbone)
    found = backbones.dropna().map(without_folders)
    return own if found.empty or (found == own).any() else str(found.mode()[0])


def runs_with(runs: "DataFrame", backbone: str) -> "DataFrame":
    """The rows of `load_runs` with this backbone, or about none."""
    return runs[runs["backbone"].fillna(backbone).map(without_folders) == backbone]


def without_folders(text: str) -> str:
    """Of paths, what tells people something: "encoder=/a/minilm" as "encoder=minilm"."""
    return re.sub(r"(^|=)[^ =]*[\\/]", r"\1", text)


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
