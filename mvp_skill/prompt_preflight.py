"""What can be known to be wrong with a study of soft prompts before anything is tuned."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from mvp_skill.checks import check_choice
from mvp_skill.conditions import names_of, numbers_of
from mvp_skill.errors import BadInput
from mvp_skill.neuron_preflight import check_knobs, check_two_classes
from mvp_skill.prompt_folders import (
    PromptFolder,
    check_label_ids,
    label_words_of,
    read_prompts,
    say_refused,
)
from mvp_skill.prompt_scales import COUNTS, KINDS, prompt_settings

SOURCES = ("su", "ackermann")
"""What a released prompt without a seed is called by: who tuned it."""


def kinds_of(given: str | None) -> tuple[str, ...]:
    """Kinds of backbones, with commas between; None is both. BadInput for another."""
    kinds = names_of(given) or KINDS
    for kind in kinds:
        check_choice("kind of backbone (KINDS)", kind, KINDS)
    return kinds


def seeds_of(given: int | str | None) -> tuple[int | str, ...] | None:
    """Seeds, with commas between; "su" is Su et al.'s released prompts, which have none.

    seeds_of("33, 34, su")    # (33, 34, "su")
    """
    named = [name for name in names_of(str(given)) if name in SOURCES] if given is not None else []
    if not named:
        return numbers_of(given, "SEEDS")
    numbers = [name for name in names_of(str(given)) if name not in SOURCES]
    return (*(numbers_of(numbers, "SEEDS") if numbers else ()), *named)


def check_prompt_study(parameters: Mapping[str, Any]) -> None:
    """Check the parameters of a study of soft prompts: each task with its data, each backbone.

    raises   BadInput for an unknown scale, kind or task, an adversarial set to tune on, a count or
             rate out of range, data, a backbone or soft prompts that are not there, a soft
             prompt that is not fit for use or for other label words, a seed that only released
             prompts have, and label words that are no single tokens
    """
    names = (*COUNTS, "learning_rate", "autocast", "init")
    given = {name: value for name, value in parameters.items() if name.lower() in names}
    scale = prompt_settings(parameters.get("SCALE") or "mini", **given)
    check_knobs(parameters)
    seeds = seeds_of(parameters.get("SEEDS")) or scale.seeds
    prompts = parameters.get("PROMPTS")
    if prompts is not None:
        folder = read_prompts(prompts)
    elif named := [seed for seed in seeds if isinstance(seed, str)]:
        raise BadInput(f"SEEDS has {named[0]!r}, which only released prompts have; give PROMPTS.")
    for task in names_of(parameters.get("TASKS")) or scale.tasks:
        _check_task(task, parameters.get("DATA_DIR"))
        check_two_classes(task, parameters)
        for kind in kinds_of(parameters.get("KINDS")):
            backbone = str(parameters.get(kind.upper()) or scale.backbones[kind])
            if prompts is None:
                _check_label_words(task, backbone, kind, "default")
            else:
                _check_prompts(folder, kind, backbone, task, seeds)
    if prompts is not None:
        say_refused(folder)


@cache
def _check_task(task: str, data_dir: str | None) -> None:
    from mvp_skill.task_types import clean_task
    from mvp_skill.tasks import load_task, task_named

    found = task_named(task)
    if clean_task(task) != task:
        raise BadInput(
            f"Prompts cannot be tuned on {task}, which has a test split only; give its clean task "
            f"{clean_task(task)} in TASKS."
        )
    if found.published:  # reads all of the files
        load_task(task, data_dir=data_dir, **{f"n_{split}": 1 for split in found.splits})


def width_of(backbone: str) -> int:
    """d_model of a backbone, from its configuration alone."""
    from transformers import AutoConfig

    from mvp_skill.backbones import backbone_folder

    return AutoConfig.from_pretrained(backbone_folder(backbone), local_files_only=True).hidden_size


def _check_prompts(
    folder: PromptFolder, kind: str, backbone: str, task: str, seeds: Sequence[int | str]
) -> None:
    for seed in seeds:
        prompt = folder.find(kind, width_of(backbone), task, seed)
        ids = _check_label_words(task, backbone, kind, label_words_of(prompt))
        check_label_ids(prompt, ids, backbone)


@cache
def _check_label_words(task: str, backbone: str, kind: str, label_words: str) -> tuple[int, ...]:
    from transformers import AutoTokenizer

    from mvp_skill.backbones import backbone_folder, model_type_of
    from mvp_skill.prompt_tuning import BACKBONE_KINDS
    from mvp_skill.soft_verbalizers import soft_verbalizer

    if model_type_of(backbone) != kind:
        raise BadInput(
            f"{backbone} is of type {model_type_of(backbone)!r}, not {kind!r}; give a backbone of "
            f"that type as {kind.upper()}, or leave {kind} out of KINDS."
        )
    tokenizer = AutoTokenizer.from_pretrained(backbone_folder(backbone), local_files_only=True)
    words = soft_verbalizer(task, BACKBONE_KINDS[kind][0], label_words)
    return tuple(words.token_ids(tokenizer))
