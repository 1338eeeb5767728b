"""MVP beside MLP-FT on other backbones: is the gain a quirk of one pretrained model?

The main table's notebook is run once per backbone; here its runs are put side by side.
"""

from typing import TYPE_CHECKING, Any

from mvp_skill.comparison import MAIN_TABLE, gains, own_backbone, without_folders
from mvp_skill.gains import ABOVE, Gain, above_zero
from mvp_skill.results import claim
from mvp_skill.study_tables import robustness_table

if TYPE_CHECKING:
    from pandas import DataFrame

GAIN = "robust_acc_gain_over_mlp_ft"  # what 13_main_table calls its paired gain
RUN = ("run_id", "task", "backbone", "variant")


def backbone_cells(found: "DataFrame", scale: str) -> "DataFrame":
    """The cells that compare backbones: tasks and victims of the other ones, of all of them.

    found     `study_tables.cells(rows)` of the main table
    returns   the scale's own backbone first; empty if there is no other
    """
    import pandas

    if found.empty:
        return found
    own = own_backbone(found["backbone"], scale)
    others = found[found["backbone"] != own]
    same = found["task"].isin(others["task"]) & found["method"].isin(others["method"])
    return pandas.concat([found[same & (found["backbone"] == own)], others], ignore_index=True)


def backbone_table(found: "DataFrame") -> "DataFrame":
    """`backbone_cells` as the paper sets them: backbone and victim down, tasks, attacks across."""
    down = ("backbone", *(["variant"] if found["variant"].nunique() > 1 else []), "method")
    return robustness_table(found, down)


def backbone_gains(runs: "DataFrame", means: "DataFrame", own: str) -> "DataFrame":
    """The paired gains of MVP over MLP-FT that the main table's runs recorded.

    runs      `load_runs(root)`
    means     `comparison.over_seeds` of the same runs
    own       the scale's own backbone
    returns   a row per run and task, for the tasks that another backbone has, own first: RUN,
              `gain` (a `gains.Gain`, mean over attacks), `learnt` (whether both victims have
              learnt the task; <NA> where the runs do not say)
    """
    import pandas

    names = {"mean": GAIN, "low": f"{GAIN}_low", "high": f"{GAIN}_high"}
    names |= {"n": "n", "n_seeds": "n_seeds"}
    chosen = (
        (runs["notebook"] == MAIN_TABLE) & (runs["method"] == "mvp") & (runs["attack"] == "all")
    )
    rows = runs[chosen & runs["metric"].isin(names.values())].copy()
    for key in ("backbone", "variant"):
        rows[key] = rows[key].fillna("").map(without_folders)
    options = {"columns": "metric", "values": "value", "aggfunc": "first", "sort": False}
    wide = rows.pivot_table(index=list(RUN), **options).reindex(columns=list(names.values()))
    wide = wide.dropna(subset=[GAIN]).reset_index()
    wide["gain"] = [
        Gain(row[0], row[1], row[2], int(row[3]), int(row[4]))
        for row in wide[list(names.values())].to_numpy(float)
    ]
    found = gains(means)[[*RUN[1:], "learnt"]].drop_duplicates(list(RUN[1:]))
    wide = pandas.DataFrame(wide[[*RUN, "gain"]]).merge(found, on=list(RUN[1:]), how="left")
    is_own = wide["backbone"] == own
    same = wide["task"].isin(wide["task"][~is_own])
    return pandas.concat([wide[same & is_own], wide[~is_own]], ignore_index=True)


def backbone_claim(found: "DataFrame", own: str) -> dict[str, Any]:
    """MVP beats MLP-FT with every backbone but the scale's own; None if none could tell.

    found     `backbone_gains(...)`
    """
    known = found["learnt"].fillna(False).astype(bool)
    others = found[(found["backbone"] != own) & known]
    return claim(
        "MVP is more robust than MLP-FT with every backbone",
        f"95 % interval of the paired gain {ABOVE} with each backbone other than the scale's own, "
        "on each task that both have learnt",
        above_zero(*others["gain"]),
    )
