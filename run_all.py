"""Run every notebook of the project as a batch: `python run_all.py`.

Finished runs are not redone, a failed run does not stop the others, and a summary is written at the
end. Exit status: 0 all done, 1 some run failed, 2 bad input, 130 interrupted (start again).
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from mvp_skill import batch, execution, summary
from mvp_skill.batch import PlannedRun
from mvp_skill.cluster import Start, engine
from mvp_skill.errors import BadInput
from mvp_skill.project_runs import runs_of, with_one_backbone
from mvp_skill.run_folders import lock, partial, remove, restore

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE / "notebooks"


def arguments_of(line: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.py",
        description="Run the notebooks, several at once; what is finished is not redone.",
    )
    add = parser.add_argument
    add("--scale", default="mini", metavar="NAME", help="mini (default), small or paper")
    add(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="runs whose name holds PATTERN or matches it as a glob (12_attack, '11*/mini_news*'), "
        "with the runs they need; may be repeated",
    )
    add(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a notebook parameter in every run that has it; may be repeated",
    )
    add("--dry-run", action="store_true", help="show what would run, and stop")
    add("--force", action="store_true", help="redo the chosen runs though they are finished")
    add("--engine", default="local", metavar="NAME", help="local (default) or none: one by one")
    add("--workers", type=int, metavar="N", help="runs at once (default: what the machine carries)")
    add("--results", type=Path, default=HERE / "results", metavar="DIR", help="default: results/")
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> int:
    """Plan, check, run, report. Returns the exit status."""
    arguments = arguments_of(line)
    results = arguments.results.expanduser().resolve()
    try:
        start = engine(arguments.engine, arguments.workers)
        runs, forced = chosen_runs(arguments, results)
        if arguments.dry_run:
            to_do = batch.pending(runs, forced)
            print(summary.table([summary.known(run, run.label in to_do) for run in runs]))
            return 0
        with lock(results):
            return run_and_report(runs, forced, start, results)
    except BadInput as error:
        print(f"run_all.py: {error}", file=sys.stderr)
        return 2


def chosen_runs(arguments: argparse.Namespace, results: Path) -> tuple[list[PlannedRun], set[str]]:
    """The selected runs, every parameter checked, and the labels of those to redo by force."""
    runs = runs_of(arguments.scale)
    if "BACKBONE" in dict(arguments.parameters):
        runs = with_one_backbone(runs)
    scale = {"SCALE": arguments.scale}
    before = batch.plan(runs, NOTEBOOKS, results, scale)
    by_hand = batch.typed_overrides(arguments.parameters, before, Path.cwd())
    planned = batch.plan(runs, NOTEBOOKS, results, scale | by_hand)
    selected, matched = batch.select(planned, arguments.only)
    batch.check(selected, by_hand)
    return selected, matched if arguments.force else set()


def run_and_report(runs: list[PlannedRun], forced: set[str], start: Start, results: Path) -> int:
    """Execute what is to be done, with the summary on disk up to date after every run."""
    began = time.monotonic()
    for run in runs:
        restore(run.finished)
    for run in runs:
        if run.label in forced:
            remove(partial(run.finished))
    to_do = batch.pending(runs, forced)
    if older := summary.made_by_other_code([run for run in runs if run.label not in to_do]):
        print(f"{older} (--force redoes them)", file=sys.stderr)
    outcomes = {run.label: summary.known(run, run.label in to_do) for run in runs}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as cleanly as Ctrl-C
    try:
        work = [run for run in runs if run.label in to_do]
        for outcome in summary.progress(
            start(work, execution.execute, results / ".dask"), len(work)
        ):
            outcomes[outcome.label] = outcome
            summary.write_summary(list(outcomes.values()), time.monotonic() - began, results)
            summary.gallery_of(results, list(outcomes.values()))  # to be read while others run
    except KeyboardInterrupt:
        print("\nInterrupted: start again to go on where this stopped.", file=sys.stderr)
        return 130
    finally:
        written = summary.write_summary(list(outcomes.values()), time.monotonic() - began, results)
    gallery = summary.gallery_of(results, list(outcomes.values()))
    print(f"\n{written.read_text(encoding='utf-8')}\nIn {results}; all pages: {gallery}")
    return 0 if all(outcome.status in summary.GOOD for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
