"""The report of a batch: its outcomes as a table for people and as JSON, and the gallery."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from mvp_skill.batch import PlannedRun
from mvp_skill.environment import commit
from mvp_skill.execution import DONE, FAILED, Outcome
from mvp_skill.files import write_atomically, write_json
from mvp_skill.gallery import Entry, write_gallery
from mvp_skill.run_folders import finished_record, run_folders

KEPT, TO_DO = "finished before", "to do"
GOOD = (DONE, KEPT)


def known(run: PlannedRun, to_do: bool) -> Outcome:
    """What can be said of a run before it starts: its status, and the seconds it took before."""
    record = finished_record(run.finished, run.key)
    executed = run.finished / "executed.ipynb"
    return Outcome(
        run.label,
        TO_DO if to_do else KEPT,
        record["seconds"] if record else 0.0,
        notebook=str(executed) if executed.exists() and not to_do else "",
    )


def made_by_other_code(reused: list[PlannedRun]) -> str:
    """A note on finished runs that the code checked out now did not make; "" if there are none.

    The run key covers notebooks, parameters and data files, but not the package's code: mending a
    comment must not redo a night of training.
    """
    now = commit(Path(__file__).parent)
    records = [finished_record(run.finished, run.key) or {} for run in reused]
    made = [record.get("environment", {}) for record in records]
    other = [by for by in made if by.get("commit") != now["commit"] or by.get("dirty")]
    if not other or now["commit"] is None:
        return ""
    return f"{len(other)} of the finished runs were made by another state of the code"


def table(outcomes: list[Outcome]) -> str:
    """One line per run: label, status, seconds, and the executed notebook or what went wrong."""
    width = max((len(outcome.label) for outcome in outcomes), default=3)
    lines = [f"{'run':{width}}  {'status':15}  {'seconds':>7}  executed notebook"]
    for outcome in outcomes:
        seconds = f"{outcome.seconds:.0f}" if outcome.seconds else ""
        what = f"{outcome.label:{width}}  {outcome.status:15}  {seconds:>7}"
        lines.append(f"{what}  {outcome.notebook}")
        if outcome.error:
            lines.append(f"{'':{width}}  {outcome.error}")
    return "\n".join(line.rstrip() for line in lines)


def counted(outcomes: list[Outcome]) -> str:
    """The outcomes in one line: "7 done, 1 failed"."""
    counts = Counter(outcome.status for outcome in outcomes)
    return ", ".join(f"{count} {status}" for status, count in counts.items()) or "no runs"


def write_summary(outcomes: list[Outcome], seconds: float, results: Path) -> Path:
    """Write `summary.txt` and `summary.json` into the results folder; returns the former."""
    outcomes = [replace(outcome, notebook=_inside(outcome, results)) for outcome in outcomes]
    runs = [asdict(outcome) for outcome in outcomes]
    write_json(results / "summary.json", {"seconds": round(seconds, 1), "runs": runs})
    text = f"{table(outcomes)}\n\n{counted(outcomes)} in {seconds:.0f} s\n"
    return write_atomically(results / "summary.txt", text)


def gallery_of(results: Path, outcomes: list[Outcome]) -> Path:
    """The gallery of all finished runs in a folder, and of the failed ones among `outcomes`."""
    entries = [
        Entry(_label(folder), folder / "executed.ipynb", DONE, _seconds(folder))
        for folder in run_folders(results)
        if (folder / "executed.ipynb").exists()
    ]
    finished = {entry.label for entry in entries}
    entries += [
        Entry(outcome.label, Path(outcome.notebook), FAILED, outcome.seconds)
        for outcome in outcomes
        if outcome.status == FAILED and outcome.notebook and outcome.label not in finished
    ]
    return write_gallery(sorted(entries, key=lambda entry: entry.label), results / "gallery")


def _inside(outcome: Outcome, results: Path) -> str:
    """The path of the executed notebook within the results folder, which may be moved."""
    return Path(outcome.notebook).relative_to(results).as_posix() if outcome.notebook else ""


def _label(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _seconds(folder: Path) -> float:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["seconds"]


def progress(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """Pass outcomes on, with one line on standard error: how many, which way, time left."""
    seen: list[Outcome] = []
    with tqdm(total=total, unit="run", disable=total == 0) as bar:
        for outcome in outcomes:
            seen.append(outcome)
            if outcome.error:
                bar.write(f"{outcome.label}: {outcome.status}: {outcome.error}", file=sys.stderr)
            bar.set_postfix_str(counted(seen), refresh=False)
            bar.update()
            yield outcome
