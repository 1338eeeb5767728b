"""The runs of the project: which notebook with which parameters, and what each needs.

runs_of("mini")      # what `python run_all.py` carries out
"""

from dataclasses import replace

from mvp_skill.batch import Run
from mvp_skill.prompt_scales import KINDS, PROMPT_SCALES
from mvp_skill.scales import settings, study_settings

METHODS = ("mlp_ft", "mvp")
# Defences cost as much as all else. At the mini scale only the first task has them, and fewer tasks
# and seeds are looked at.
UNDEFENDED = "mlp_ft, mvp"
# Pruned models, BitFit and adapters are trained for these alone; at the mini scale for the first
# of its tasks, whatever suppression costs there.
FEW = {"mini": PROMPT_SCALES["mini"].tasks[0], "small": "sst2", "paper": "sst2, qnli"}


def runs_of(scale: str) -> list[Run]:
    """The plan of the project at one scale: what is run, with which parameters, and what it needs.

    Runs start in this order, as soon as what they need is done; the longest come first, and before
    them the one that measures time, by itself.
    01_pretrain_mini_models is not among them: its models come with the package.
    """
    alone = [Run("00_tour"), Run("10_templates_and_verbalizers")]
    victims = [*studies_of(scale), *victims_of(scale), *alone]
    prompts = skill_neurons_of(scale)
    results = [
        Run("90_results", needs=tuple(victims)),
        Run("91_skill_neuron_results", needs=tuple(prompts)),
    ]
    return [*prompts, *victims, *results]


def skill_neurons_of(scale: str) -> list[Run]:
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
            "23_adversarial_data",
            "21_prompt_geometry",
        )
    ]
    others.append(Run("29_pruning_and_other_tuning", {"TASKS": FEW[scale]}, needs=tuned))
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
