"""Accuracies of prompt-tuned models, beside what guessing would score: rows, means, tables.

    right[kind, task, seed] = study.right(prompted, task).numpy()     # bool [example]
    means = over_seeds(right, majority)
    least_above_majority(means, "roberta")

Seeds share their examples, so an interval counts the examples of one seed: the exact one around the
mean, and one from drawing the examples anew, each with what all seeds made of it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.intervals import bootstrap_interval, exact_interval
from mvp_skill.learnt import has_learnt
from mvp_skill.tables import as_percent

if TYPE_CHECKING:
    from pandas import DataFrame

Key = tuple[str, str, int | str]
"""Kind of backbone, task or adversarial set, seed."""
LEAST_MARGIN = 0.2
"""Above the majority rate; what a prompt must reach for a task to count as learnt well."""


class Margin(NamedTuple):
    """How far the task that is worst lies above its majority rate."""

    task: str
    margin: float
    """Mean accuracy minus majority rate, in [-1, 1]."""
    n_tasks: int
    """That were compared."""


def majority_rate(labels: Sequence[int]) -> float:
    """Accuracy of always naming the commonest class; BadInput for no labels."""
    if not len(labels):
        raise BadInput("A majority rate needs at least one label.")
    return float(np.bincount(np.asarray(labels)).max() / len(labels))


def per_seed(right: Mapping[Key, np.ndarray], majority: Mapping[str, float]) -> "DataFrame":
    """A row per kind, task and seed: acc, n, low, high (exact 95 % interval), majority_acc.

    right      whether each example is right, bool [example]
    majority   of each task, `majority_rate` of its labels
    """
    import pandas

    rows = []
    for (kind, task, seed), found in right.items():
        low, high = exact_interval(int(found.sum()), len(found))
        row = {"kind": kind, "task": task, "seed": seed, "acc": float(found.mean())}
        row |= {"n": len(found), "low": low, "high": high, "majority_acc": majority[task]}
        rows.append(row)
    return pandas.DataFrame(rows)


def over_seeds(
    right: Mapping[Key, np.ndarray],
    majority: Mapping[str, float],
    flagged: Collection[Key] = (),
) -> "DataFrame":
    """A row per kind and task, mean over seeds, in the order in which they occur.

    right, majority   as `per_seed` takes them; all seeds of a task have the same examples
    flagged           keys whose prompts may have been tuned on these very examples
    returns           kind, task, mean, std (ddof 1; NaN for one seed), n (examples of one seed),
                      n_seeds, low, high (exact 95 % interval for n examples around the mean),
                      drawn_low, drawn_high (bootstrap over examples), majority_acc, flagged
    """
    import pandas

    rows = []
    for kind, task in dict.fromkeys((kind, task) for kind, task, _ in right):
        keys = [key for key in right if key[:2] == (kind, task)]
        both = np.stack([right[key] for key in keys])  # [seed, example]
        accs, n = both.mean(axis=1), both.shape[1]  # [seed]
        row = {"kind": kind, "task": task, "mean": accs.mean(), "n": n, "n_seeds": len(accs)}
        row["std"] = accs.std(ddof=1) if len(accs) > 1 else np.nan
        row["low"], row["high"] = exact_interval(round(accs.mean() * n), n)
        row["drawn_low"], row["drawn_high"] = bootstrap_interval(both)
        row |= {"majority_acc": majority[task], "flagged": any(key in flagged for key in keys)}
        rows.append(row)
    return pandas.DataFrame(rows)


def counts_of(means: "DataFrame") -> "DataFrame":
    """The rows that claims may count: those whose prompts have not seen their examples."""
    check_table(means, "flagged")
    return means[~means["flagged"].astype(bool)]


def least_above_majority(means: "DataFrame", kind: str) -> Margin | None:
    """The smallest mean accuracy minus majority rate of a kind; None if no row counts."""
    rows = counts_of(means)
    rows = rows[rows["kind"] == kind]
    if rows.empty:
        return None
    margins = rows["mean"] - rows["majority_acc"]
    worst = margins.idxmin()
    return Margin(rows.loc[worst, "task"], float(margins[worst]), len(rows))


def learnt(means: "DataFrame") -> dict[tuple[str, str], bool]:
    """Kind and task to whether `has_learnt` says so and the row counts."""
    numbers = zip(means["mean"], means["n"], means["majority_acc"], strict=True)
    counted = ~means["flagged"].astype(bool) & np.array([has_learnt(*row) for row in numbers])
    return dict(
        zip(zip(means["kind"], means["task"], strict=True), map(bool, counted), strict=True)
    )


def for_people(means: "DataFrame", names: Mapping[str, str]) -> "DataFrame":
    """A row per task: accuracy of each kind as "97.0 ± 0.3 % (95.2 to 98.4)", majority rate, n.

    A star marks what `flagged` marks. `names` says how the kinds are called.
    """
    check_table(means, "kind", "task", "mean", "std", "low", "high", "majority_acc", "n", "n_seeds")
    table = means.assign(text=[_text(row) for row in means.itertuples()])
    tasks = list(dict.fromkeys(means["task"]))
    wide = table.pivot(index="task", columns="kind", values="text").reindex(tasks).fillna("–")
    wide = wide[list(dict.fromkeys(means["kind"]))].rename(columns=names)
    first = means.groupby("task", sort=False)[["majority_acc", "n", "n_seeds"]].first()
    wide["majority rate"] = first["majority_acc"].map(as_percent)
    wide["n"], wide["seeds"] = first["n"].astype(str), first["n_seeds"].astype(str)
    return wide.rename_axis(index=None, columns=None)


def _text(row: object) -> str:
    spread = "" if np.isnan(row.std) else f" ± {100 * row.std:.1f}"
    star = " *" if getattr(row, "flagged", False) else ""
    return f"{100 * row.mean:.1f}{spread} % ({100 * row.low:.1f} to {100 * row.high:.1f}){star}"
