"""What stands in the README's generated blocks, as Markdown: see `readme` for how it gets there.

Results come from the recorded runs, which are run files like any other, the notebooks' questions
from their headings, and what the package says of itself from `readme_facts`.
"""

from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.comparison import (
    MAIN_TABLE,
    attacked_victims,
    over_seeds,
    own_backbone,
    runs_with,
)
from mvp_skill.files import read_json, write_atomically
from mvp_skill.other_backbones import backbone_cells, backbone_claim, backbone_gains
from mvp_skill.readme_facts import duration, markdown, mini_models, mini_world, scales, size
from mvp_skill.readme_prompts import prompt_scales, soft_prompts
from mvp_skill.reported import paper_claims, verdicts
from mvp_skill.results import VERDICTS, load_claims, load_runs
from mvp_skill.run_folders import run_folders
from mvp_skill.scales import SCALES
from mvp_skill.study_tables import cells, counted, load_rows, tall_table, usual

if TYPE_CHECKING:
    from pandas import DataFrame

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent
RECORD = PACKAGE / "recorded_runs"
FIGURE = PACKAGE / "figures" / "robustness.png"
NOT_YET = "*No run is recorded yet.*"
RESULTS_NOTEBOOK = "90_results"


def blocks(record: Path = RECORD) -> dict[str, str]:
    """Name to Markdown of every block."""
    return {
        "cost": cost(record),
        "benchmarks": benchmarks(record),
        "figure": figure(record),
        "table": results(record),
        "claims": claims(record),
        "notebooks": notebooks(record),
        "soft prompts": soft_prompts(record),
        "scales": scales(),
        "prompt scales": prompt_scales(),
        "mini world": mini_world(),
        "mini models": mini_models(),
    }


def cost(record: Path) -> str:
    """Time and disk of the two commands, as measured, and on what."""
    machine = read_json(record / "machine.json") if (record / "machine.json").exists() else {}
    said = {
        "install": ("installation, part of both", "install_seconds", "environment_bytes"),
        "batch": ("the experiments: {batch_runs} runs", "batch_seconds", "results_bytes"),
        "tests": ("the tests: {n_tests} of them", "test_seconds", ""),
    }
    rows = [
        [text.format(**machine), duration(machine.get(seconds)), size(machine.get(disk))]
        for text, seconds, disk in said.values()
        if seconds in machine or (disk in machine and disk == "environment_bytes")
    ]
    if not rows:
        return "*Not measured yet.*"
    return f"{markdown(['step', 'time', 'disk'], rows)}\n\nMeasured on {_made_on(record)}."


def benchmarks(record: Path) -> str:
    """The table of `python tests/benchmarks --record`, and on what it was measured."""
    path = record / "benchmarks.json"
    if not path.exists():
        return "*Not measured yet.*"
    found = read_json(path)
    columns = ["benchmark", "what", "figure", "unit", "bar", "n"]
    rows = [["" if row[c] is None else row[c] for c in columns] for row in found["rows"]]
    made = found["environment"]
    device = made["gpu"] or "no GPU"
    said = f"{made['cores']} cores ({made['processor']}, {device}), torch {made['torch']}"
    return f"{markdown(columns, rows)}\n\nMeasured on {said}."


def figure(record: Path) -> str:
    """The figure with its caption."""
    found = _drawn(record)
    if found.empty:
        return NOT_YET
    caption = (
        f"Accuracy on clean texts and under each attack ({found['backbone'].iloc[0]}; "
        f"{counted(found)}), mean over seeds; bars are 95 % Wilson intervals for the examples of "
        "one seed, the dashed line is the constant guess."
    )
    path = FIGURE.relative_to(ROOT).as_posix()
    return f"![Clean and robust accuracy of the victims on each task]({path})\n\n{caption}"


def results(record: Path) -> str:
    """The main table of each scale that has attacked victims, and of its other backbones."""
    rows, parts = load_rows(record, MAIN_TABLE), []
    for scale in SCALES if len(rows) else ():
        found = cells(rows[rows["scale"] == scale])
        if len(found):
            own = own_backbone(found["backbone"], scale)
            lead = f"Scale `{scale}` ({own}), accuracy in per cent, mean ± standard deviation"
            parts.append(_table(found[found["backbone"] == own], f"{lead} over seeds"))
            if len(others := backbone_cells(found, scale)):
                parts.append(_table(others, "Other backbones"))
    return "\n\n".join(parts) or NOT_YET


def _table(found: "DataFrame", lead: str) -> str:
    shown = tall_table(found)
    return f"{lead} ({counted(found)}):\n\n{markdown(list(shown), shown.to_numpy().tolist())}"


def claims(record: Path) -> str:
    """Claim, notebook, criterion and verdict: those over all runs, then those of single ones.

    But for the claim on other backbones, they are about the scale's own.
    """
    scale = _scale(record)
    runs, means = load_runs(record), _means(record, scale)
    own = own_backbone(means["backbone"], scale)
    found = paper_claims(means[means["backbone"] == own])
    found += [backbone_claim(backbone_gains(runs[runs["scale"] == scale], means, own), own)]
    rows = [
        [one["claim"], RESULTS_NOTEBOOK[:2], one["criterion"], VERDICTS[one["holds"]]]
        for one in found
    ]
    kept = runs_with(runs, own)[["notebook", "run_id"]].drop_duplicates()
    recorded = load_claims(record).merge(kept)
    recorded = verdicts(recorded[recorded["notebook"] != RESULTS_NOTEBOOK])
    rows += [
        [row.claim, row.notebook[:2], row.criterion, row.verdict] for row in recorded.itertuples()
    ]
    return markdown(["claim", "notebook", "criterion", "verdict"], rows)


def notebooks(record: Path) -> str:
    """Number, question, needs and time of every notebook."""
    from run_all import runs_of

    needs, in_batch = defaultdict(set), set()
    for run in runs_of("mini"):
        in_batch.add(run.notebook)
        needs[run.notebook] |= {needed.notebook[:2] for needed in run.needs}
    seconds = defaultdict(list)
    for folder in run_folders(record):
        found = read_json(folder / "run.json")
        if found["parameters"].get("SCALE", "mini") == "mini":
            seconds[found["notebook"]].append(found["seconds"])
    rows = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        name = path.stem
        link = f"[{name[:2]}](notebooks/{path.name})"
        times = _times(seconds[name]) if name in in_batch else "not in the batch"
        rows.append([link, _question(path), ", ".join(sorted(needs[name])) or "–", times])
    return markdown(["", "question", "needs", "time at the mini scale"], rows)


def draw_figure(record: Path = RECORD, target: Path = FIGURE) -> Path | None:
    """Draw the README's figure from the recorded runs, with fixed bytes for fixed numbers.

    returns   its path; None if no attack is recorded, and then there is no file either
    """
    found = _drawn(record)
    if found.empty:
        target.unlink(missing_ok=True)
        return None
    import matplotlib

    from mvp_skill import plots
    from mvp_skill.robustness_plots import robustness_by_task
    from mvp_skill.tasks import TASKS

    generated = {
        task: 1 / len(TASKS[task].label_names)
        for task in found["task"].unique()
        if TASKS[task].published is None
    }
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        plots.style()
        content = BytesIO()
        drawn = robustness_by_task(found, generated)
        drawn.savefig(content, format="png", dpi=110, metadata={"Software": None})
        matplotlib.pyplot.close(drawn)
    return write_atomically(target, content.getvalue())


def _drawn(record: Path) -> "DataFrame":
    """The cells of the main table that the figure shows: one scale, one backbone, no variants."""
    rows = load_rows(record, MAIN_TABLE)
    if rows.empty:
        return rows
    scale = _scale(record)
    found = cells(rows[rows["scale"] == scale])
    own = own_backbone(found["backbone"], scale)
    return usual(found[found["backbone"] == own])


def _means(record: Path, scale: str) -> "DataFrame":
    runs = load_runs(record)
    return over_seeds(attacked_victims(runs[runs["scale"] == scale]))


def _scale(record: Path) -> str:
    """The scale that figure and claims are about: the first with attacked victims."""
    return next((scale for scale in SCALES if len(_means(record, scale))), "mini")


def _made_on(record: Path) -> str:
    folders = run_folders(record)
    if not folders:
        return "one machine"
    found = read_json(folders[0] / "run.json")["environment"]
    device = found["gpu"] or "no GPU"
    return (
        f"{found['cores']} cores ({found['system']}, {device}) with Python {found['python']} "
        f"and torch {found['torch']}; installing depends on the network"
    )


def _times(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    mean = duration(sum(seconds) / len(seconds))
    return mean if len(seconds) == 1 else f"{len(seconds)} runs of {mean}"


def _question(path: Path) -> str:
    """The notebook's first heading without its number."""
    import nbformat

    from mvp_skill.gallery import title_of

    title = title_of(nbformat.read(path, as_version=4), path.stem)
    return title.removeprefix(path.stem[:2]).strip()
