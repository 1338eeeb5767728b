"""Run every notebook of the project as a batch: `python run_all.py`.

Finished runs are not redone, a failed run does not stop the others, and a summary is written at the
end. Exit status: 0 all done, 1 some run failed, 2 bad input, 130 interrupted (start again).
"""

import argparse
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from mvp_skill import batch, execution, summary
from mvp_skill.batch import PlannedRun, Run
from mvp_skill.cluster import Start, engine
from mvp_skill.errors import BadInput
from mvp_skill.prompt_scales import KINDS
from mvp_skill.run_folders import lock, partial, remove, restore
from mvp_skill.scales import settings, study_settings

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE / "notebooks"
METHODS = ("mlp_ft", "mvp")
# Defences cost as much as all else. At the mini scale only the first task has them, and fewer tasks
# and seeds are looked at.
UNDEFENDED = "mlp_ft, mvp"


def runs_of(scale: str) -> list[Run]:
    """The plan of the project at one scale: what is run, with which parameters, and what it needs.

    Runs start in this order, as soon as what they need is done; the longest come first, and before
    them the one that measures time, by itself.
    01_pretrain_mini_models is not among them: its models come with the package.
    """
    alone = [Run("00_tour"), Run("10_templates_and_verbalizers")]
    victims = [*studies_of(scale), *victims_of(scale), *alone]
    prompts = skill_neurons_of()
    results = [
        Run("90_results", needs=tuple(victims)),
        Run("91_skill_neuron_results", needs=tuple(prompts)),
    ]
    return [*victims, *prompts, *results]


def skill_neurons_of() -> list[Run]:
    """The experiments of the second paper: soft prompts are tuned first, a run for each kind."""
    tuned = tuple(Run("20_prompt_tuning", {"KINDS": kind}) for kind in KINDS)
    scored = Run("24_skill_neurons", needs=tuned)
    ranked = [
        Run(name, needs=(scored,)) for name in ("25_suppression", "26_neurons_on_adversarial_data")
    ]
    others = [
        Run(name, needs=tuned)
        for name in (
            "22_prompt_transfer",
            "27_patching",
            "29_pruning_and_other_tuning",
            "23_adversarial_data",
            "21_prompt_geometry",
        )
    ]
    return [*tuned, scored, *ranked, *others, Run("28_flaws_of_the_reference")]


def victims_of(scale: str) -> list[Run]:
    """One victim after the other, trained and attacked: notebooks 11 and 12."""
    runs: list[Run] = []
    for task in settings(scale).tasks:
        for seed in settings(scale).seeds:
            given = {"TASK": task, "SEED": seed}
            victims = [Run("11_train_victims", given | {"METHOD": method}) for method in METHODS]
            runs += [*victims, Run("12_attack_victims", given, needs=tuple(victims))]
    return runs


def studies_of(scale: str) -> list[Run]:
    """The experiments that compare many victims, which they share: notebooks 13 to 19, and 30."""
    study, is_mini = study_settings(scale), scale == "mini"
    seed = {"SEEDS": "0"} if is_mini else {}  # for those with the most victims
    one, two = {"TASKS": study.ablations[0]}, {"TASKS": ", ".join(study.ablations)}
    return [
        *main_tables(scale),
        Run("15_why_does_mvp_help", two | {"UNTRAINED_TASKS": study.ablations[-1]} | seed),
        Run("16_templates_and_label_words", one if is_mini else two),
        Run("17_sample_efficiency", one | {"SIZES": ", ".join(map(str, study.sizes))} | seed),
        Run("14_adversarial_training", one),
        Run("18_other_attacks", one),
        Run("19_out_of_distribution", {"SEEDS": "0, 1"} if is_mini else {}),
        Run("30_what_does_it_cost", two | {"AUTOCAST": "off"}, alone=True),
    ]


def main_tables(scale: str) -> list[Run]:
    """Notebook 13: every task with the scale's backbone, one task with each of the others."""
    study = study_settings(scale)
    fewer = {"VICTIMS": UNDEFENDED} if scale == "mini" else {}
    first = study.ablations[0]
    usual = [
        Run("13_main_table", {"TASKS": task} | (fewer if task != first else {}))
        for task in study.tasks
    ]
    others = [
        Run("13_main_table", {"TASKS": first, "BACKBONE": backbone, "VICTIMS": UNDEFENDED})
        for backbone in study.other_backbones
    ]
    return usual + others


def with_one_backbone(runs: list[Run]) -> list[Run]:
    """The plan without the runs whose point is another backbone, for one that is given by hand."""
    kept = {run for run in runs if "BACKBONE" not in run.parameters}
    whole = [run for run in runs if run in kept and kept.issuperset(run.needs)]
    others = [run for run in runs if run in kept and run not in whole]
    return whole + [
        replace(run, needs=tuple(whole)) for run in others
    ]  # only the last: it needs all


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
