"""Tables of studies: from one row per victim and attack to the layout of the paper's tables.

rows     `Study.measure(...)`: a row per condition and attack; with a column `constant_guess`, the
         tables also say who has learnt the task
cells    `cells(rows)`: a row per cell of a table, averaged over its seeds
table    `robustness_table(cells)`: victims down, tasks and attacks across, "92.1 ± 0.3"
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.comparison import without_folders
from mvp_skill.learnt import in_words, learnt
from mvp_skill.run_folders import run_folders

if TYPE_CHECKING:
    from pandas import DataFrame, Series

VICTIM = ("task", "backbone", "variant", "method")
CELL = (*VICTIM, "attack")
LEARNT = "learnt"  # the column of a table that says who has learnt the task
ROWS_FILE = "rows.csv"
ATTACK_NAMES = {
    "none": "clean",
    "textfooler": "TextFooler",
    "textbugger": "TextBugger",
    "textbugger_stock": "TextBugger (stock)",
    "bert_attack": "BERT-Attack",
    "misspelling": "misspelling",
}
NO_BREAK = "\u00a0"


def cells(rows: "DataFrame", metric: str = "robust_acc") -> "DataFrame":
    """One row per cell: CELL, `value`, `std`, `low`, `high`, `n`, `n_seeds`.

    metric      what is wanted under attack, "label_kept_robust_acc" for instance
    value       clean accuracy on the whole test split where the attack is "none", else the metric;
                mean over seeds
    std         of the sample of seeds; NaN with one seed
    low, high   95 % Wilson interval for the n examples of one seed
    n           examples per seed, the fewest if seeds differ
    learnt      whether the victim has learnt the task; only where `rows` has `constant_guess`
    """
    from mvp_skill.metrics import wilson_interval

    rows = rows.assign(variant=rows["variant"].astype(object).fillna(""))
    if metric not in rows:
        rows = rows.assign(**{metric: float("nan")})
    value = rows["clean_acc"].where(rows["attack"] == "none", rows[metric])
    rows = rows.assign(value=value)
    groups = rows[rows["value"].notna()].groupby(list(CELL), sort=False)
    found = groups.agg(
        value=("value", "mean"),
        std=("value", "std"),
        n=("n", "min"),
        n_seeds=("seed", "nunique"),
    ).reset_index()
    ends = [
        wilson_interval(round(v * n), int(n)) for v, n in zip(found.value, found.n, strict=True)
    ]
    found = found.assign(low=[low for low, _ in ends], high=[high for _, high in ends])
    return _with_learnt(found, rows) if "constant_guess" in rows else found


def robustness_table(found: "DataFrame", down: tuple[str, ...] = ("method",)) -> "DataFrame":
    """Cells as the paper sets them: a row per victim, a column per task and attack, in per cent.

    found    `cells(rows)`
    down     columns that name a row of the table, such as ("backbone", "method")
    returns  texts such as "92.1 ± 0.3"; a dash where nothing was measured
    """
    shown = _as_texts(found).replace({"attack": ATTACK_NAMES})
    tasks = list(dict.fromkeys(shown["task"]))
    columns = list(dict.fromkeys(zip(shown["task"], shown["attack"], strict=True)))
    columns = sorted(columns, key=lambda column: tasks.index(column[0]))
    order = list(dict.fromkeys(zip(*(shown[name] for name in down), strict=True)))
    wide = shown.set_index([*down, "task", "attack"])["text"].unstack(["task", "attack"])
    wide = wide.reindex(columns=columns).fillna("–")
    wide = wide.reindex(order if len(down) > 1 else [key for (key,) in order])
    return wide.rename_axis(index=None if len(down) == 1 else list(down), columns=[None, None])


def tall_table(found: "DataFrame") -> "DataFrame":
    """The same cells with a row per task and victim and a column per attack, for narrow pages."""
    shown = _as_texts(found)
    keys = ["task", *[c for c in ("backbone", "variant") if found[c].nunique() > 1], "method"]
    attacks = list(dict.fromkeys(shown["attack"]))
    wide = shown.pivot(index=keys, columns="attack", values="text")[attacks].fillna("–")
    wide = wide.loc[list(dict.fromkeys(zip(*(shown[key] for key in keys), strict=True)))]
    return wide.rename(columns=ATTACK_NAMES).rename_axis(columns=None).reset_index()


def in_per_cent(mean: float, std: float) -> str:
    """ "92.1 ± 0.3"; only "92.1" for one seed, a dash for nothing."""
    if mean != mean:
        return "–"
    spread = f"{NO_BREAK}±{NO_BREAK}{100 * std:.1f}" if std == std else ""
    return f"{100 * mean:.1f}{spread}"


def counted(found: "DataFrame") -> str:
    """For a caption: "n = 400 clean, 30 attacked; 3 seeds"."""
    parts = []
    for kind, chosen in (
        ("clean", found["attack"] == "none"),
        ("attacked", found["attack"] != "none"),
    ):
        if chosen.any():
            parts.append(f"{_span(found.loc[chosen, 'n'])} {kind}")
    return f"n = {', '.join(parts)}; seeds: {_span(found['n_seeds'])}"


def save_rows(rows: "DataFrame", folder: Path) -> None:
    """Write the rows of a study beside its run.json, for `load_rows`."""
    rows.to_csv(folder / ROWS_FILE, index=False)


def load_rows(root: str | Path, notebook: str) -> "DataFrame":
    """The rows of every finished run of a notebook, with `scale` and `run_id`; empty if none.

    variant   of the victim, with the run's settings by hand: runs of other sizes have other cells
    """
    import pandas

    from mvp_skill.files import read_json
    from mvp_skill.run_ids import variant

    found = []
    for folder in run_folders(root):
        if folder.parent.name == notebook and (folder / ROWS_FILE).exists():
            parameters = read_json(folder / "run.json")["parameters"]
            rows = pandas.read_csv(folder / ROWS_FILE, keep_default_na=True)
            own = rows["variant"].astype(object).fillna("") + f" {variant(parameters)}"
            rows["variant"] = own.str.strip().map(without_folders)
            found.append(rows.assign(scale=parameters.get("SCALE"), run_id=folder.name))
    return pandas.concat(found, ignore_index=True) if found else pandas.DataFrame()


def usual(found: "DataFrame") -> "DataFrame":
    """The cells without settings by hand, for a figure; else those of the commonest settings."""
    variants = found["variant"]
    return found[variants == ("" if (variants == "").any() else variants.mode()[0])]


def _with_learnt(found: "DataFrame", rows: "DataFrame") -> "DataFrame":
    """The cells with `learnt`, which is about a victim and so the same in all cells of it."""
    guesses = rows.groupby(list(VICTIM), sort=False)["constant_guess"].first().reset_index()
    clean = found[found["attack"] == "none"].merge(guesses, on=list(VICTIM))
    clean[LEARNT] = learnt(clean["value"], clean["n"], clean["constant_guess"])
    return found.merge(clean[[*VICTIM, LEARNT]], on=list(VICTIM), how="left")


def _as_texts(found: "DataFrame") -> "DataFrame":
    """Cells with `text` and people's names; "learnt" is one more cell of each victim."""
    import pandas

    from mvp_skill.legends import name as method_name

    shown = found.assign(
        text=[in_per_cent(v, s) for v, s in zip(found["value"], found["std"], strict=True)],
        method=found["method"].map(method_name),
    )
    if LEARNT not in found:
        return shown
    once = shown.drop_duplicates(list(VICTIM))
    return pandas.concat([shown, once.assign(attack=LEARNT, text=in_words(once[LEARNT]))])


def _span(counts: "Series") -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
