"""What can be known to be wrong before anything starts: the values of a run's parameters.

A data folder is read through, and what comes from the hub is fetched, because only then is it known
to be all right.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from mvp_skill.errors import BadInput
from mvp_skill.prompt_folders import read_prompts, say_refused
from mvp_skill.prompt_preflight import check_prompt_study
from mvp_skill.scales import COUNTS, Scale, closest, settings, study_settings


def check_parameters(parameters: dict[str, Any]) -> None:
    """Check the values of a notebook's parameters; names without a meaning here pass.

    A notebook that compares many victims has lists: see `check_study`. One with the parameter
    KINDS is about soft prompts: see `check_prompt_study`.

    raises   BadInput for an unknown scale, task, method, template variant or set of label words;
             label words that are no single tokens; an unknown attack, or one whose resources are
             missing; a count or rate out of range; a data folder or backbone that is missing or
             damaged; a method or a template that the backbone cannot do; a hub out of reach; an
             adversarial set for tuning a prompt on; a folder without soft prompts
    """
    if "KINDS" in parameters:
        return check_prompt_study(parameters)
    if parameters.get("PROMPTS") is not None:
        say_refused(read_prompts(parameters["PROMPTS"]))
    if "SEEDS" in parameters:
        return check_study(parameters)
    scale = _settings(parameters)
    _check_method(parameters.get("METHOD"), scale)
    if "ATTACK" in parameters:
        _check_attack(parameters, scale)
    _check_seed(parameters.get("SEED"))
    task = parameters.get("TASK")
    if task is not None:
        _check_data(task, parameters.get("DATA_DIR"))
    if task is not None:
        variants = (parameters.get("TEMPLATE_VARIANT"), parameters.get("LABEL_WORDS"))
        _check_prompts(task, *(variant or "default" for variant in variants))
    if "BACKBONE" in parameters:
        asked = (parameters.get("METHOD"), parameters.get("PRETRAINED", True))
        _check_backbone(scale.backbone, *asked)
        if task is not None:
            _check_tokens(task, scale.backbone, *(variant or "default" for variant in variants))


def check_study(parameters: Mapping[str, Any]) -> None:
    """Check the parameters of a study: each task with its data, each victim, attack and seed.

    raises   BadInput as `check_parameters` does
    """
    from mvp_skill.conditions import making_of, names_of, numbers_of
    from mvp_skill.domains import TEMPLATE_VARIANTS, domains_of
    from mvp_skill.learning_curves import sizes_of

    scale = parameters.get("SCALE", "mini")
    tasks = names_of(parameters.get("TASKS")) or study_settings(scale).tasks
    victims = names_of(parameters.get("VICTIMS"))
    methods = list(dict.fromkeys(making_of(name).method for name in victims))
    seeds = numbers_of(parameters.get("SEEDS"), "SEEDS") or (0,)
    counts = {name: parameters.get(name) for name in ("N_TEST", "N_ATTACKED")}
    _check_attacked(counts["N_ATTACKED"], study_settings(scale, **counts))
    alone = {name: value for name, value in parameters.items() if name != "SEEDS"}
    if "BACKBONE" in parameters:
        alone |= _usual_templates(_settings(alone).backbone, parameters.get("TEMPLATE_VARIANT"))
        for victim in victims:
            _check_objective(victim, _settings(alone).backbone)
    if "DOMAINS" in parameters:
        tasks = domains_of(parameters["DOMAINS"], scale)
        alone |= {"TEMPLATE_VARIANT": TEMPLATE_VARIANTS[tasks[0]]}
    if "SIZES" in parameters:
        sizes_of(parameters["SIZES"])
    for task in tasks:
        for method in methods or [None]:
            check_parameters(alone | {"TASK": task, "METHOD": method})
    in_training = [making_of(name).attacked_by for name in victims]
    for attack in dict.fromkeys([*names_of(parameters.get("ATTACKS")), *filter(None, in_training)]):
        check_parameters(alone | {"ATTACK": attack})
    for seed in seeds:
        _check_seed(seed)


def why_not(
    task: str, backbone: str, template_variant: str = "default", label_words: str = "default"
) -> str | None:
    """Why an MVP victim cannot have these templates and label words; None if it can.

    For ablations, which try what a task has and leave out the rest.
    """
    from mvp_skill.prompts import prompts_for
    from mvp_skill.victims import check_backbone

    try:
        check_backbone(backbone, "mvp", prompts_for(task, template_variant, label_words)[0])
        _check_tokens(task, str(backbone), template_variant, label_words)
    except BadInput as refusal:
        return str(refusal)
    return None


def _settings(parameters: dict[str, Any]) -> Scale:
    names = {*COUNTS, "learning_rate", "backbone", "autocast"}
    given = {name: value for name, value in parameters.items() if name.lower() in names}
    return settings(parameters.get("SCALE", "mini"), **given)


def _check_method(method: str | None, scale: Scale) -> None:
    allowed = list(scale.learning_rate)
    if method is not None and method not in allowed:
        near = closest(str(method), allowed)
        raise BadInput(f"Unknown method {method!r}{near}: use {', '.join(allowed)}.")


def _check_attack(parameters: dict[str, Any], scale: Scale) -> None:
    from mvp_skill.attack_inputs import check_options
    from mvp_skill.attack_resources import check_resources

    check_options(parameters.get("QUERY_BUDGET"), 1)
    _check_attacked(parameters.get("N_ATTACKED"), scale)
    names = ("NEIGHBOURS", "TAGGER", "ENCODER", "MASKED_LM")
    given = {name.lower(): parameters.get(name) for name in names}
    given["masked_lm"] = given["masked_lm"] or scale.backbone
    check_resources(scale.name, parameters["ATTACK"], **given)


def _check_attacked(wanted: int | None, scale: Scale) -> None:
    if wanted is not None and scale.n_test is not None and wanted > scale.n_test:
        raise BadInput(
            f"N_ATTACKED is {wanted}, but there are {scale.n_test} test examples; give N_TEST too."
        )


def _check_seed(seed: Any) -> None:
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise BadInput(f"SEED must be a whole number of at least 0, not {seed!r}.")


@cache
def _check_data(task: str, data_dir: str | None) -> None:
    from mvp_skill.tasks import load_task, task_named

    found = task_named(task)
    if not found.generated or data_dir is not None:  # reads all of the files
        load_task(task, data_dir=data_dir, **{f"n_{split}": 1 for split in found.splits})


@cache
def _check_prompts(task: str, templates: str, label_words: str) -> None:
    from mvp_skill.prompts import prompts_for

    prompts_for(task, templates, label_words)


@cache
def _check_backbone(name: str, method: str | None, pretrained: bool) -> None:
    from mvp_skill.victims import check_backbone

    check_backbone(name, method, pretrained=pretrained)


def _usual_templates(backbone: str, variant: str | None) -> dict[str, str]:
    from mvp_skill.victims import usual_template_variant

    return {"TEMPLATE_VARIANT": variant or usual_template_variant(backbone)}


def _check_objective(victim: str, backbone: str) -> None:
    """BadInput if a victim's training looks into an encoder that its backbone does not have."""
    from mvp_skill.backbones import model_type_of
    from mvp_skill.conditions import VICTIMS
    from mvp_skill.masked_lm import layout_named
    from mvp_skill.victim_parts import NEED_TEXT_ENCODER
    from mvp_skill.victims import methods_for

    model_type = model_type_of(backbone)
    if VICTIMS[victim].objective in NEED_TEXT_ENCODER and (
        layout_named(model_type).kind == "causal_lm"
    ):
        allowed = [
            name
            for name, making in VICTIMS.items()
            if making.method in methods_for(model_type)
            and making.objective not in NEED_TEXT_ENCODER
        ]
        raise BadInput(
            f"Training {victim!r} looks into the encoder behind <s>, which a backbone of type "
            f"{model_type!r} does not have; use {', '.join(allowed)}, or a masked language model."
        )


@cache
def _check_tokens(task: str, backbone: str, templates: str, label_words: str) -> None:
    from transformers import AutoTokenizer

    from mvp_skill.backbones import backbone_folder
    from mvp_skill.prompts import prompts_for
    from mvp_skill.template_ids import template_ids

    folder = backbone_folder(backbone)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found, verbalizer = prompts_for(task, templates, label_words)
    verbalizer.token_ids(tokenizer)
    for template in found:
        template_ids(template, tokenizer)
