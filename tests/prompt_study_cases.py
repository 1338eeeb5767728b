"""A study of soft prompts that takes a second: a tiny random backbone and two tasks."""

from mvp_skill.prompt_studies import PromptStudy

TINY = {
    "SCALE": "mini",
    "TASKS": "mini_films, mini_restaurants",
    "SEEDS": "0, 1",
    "N_TRAIN": 24,
    "N_VALIDATION": 12,
    "N_TEST": 31,
    "N_PROMPT": 5,
    "EPOCHS": 1,
    "EVAL_EVERY_EXAMPLES": 24,
    "N_THRESHOLD": 20,
    "N_PERMUTATIONS": 3,
}


def tiny_study(out, roberta=None, t5=None, **parameters) -> PromptStudy:
    """With the kinds whose backbone is given."""
    named = {kind: str(folder) for kind, folder in (("ROBERTA", roberta), ("T5", t5)) if folder}
    kinds = {"KINDS": ", ".join(name.lower() for name in named)}
    return PromptStudy(TINY | {"OUT": str(out)} | named | kinds | parameters)
