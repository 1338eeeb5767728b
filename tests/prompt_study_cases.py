"""A study of soft prompts that takes a second: a tiny random backbone and two tasks."""

from itertools import pairwise

from mvp_skill.mini.adversarial_sets import write_set
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
    "N_STARTS": 1,
    "INIT": "vocabulary",  # louder than normal numbers
    "EVAL_EVERY_EXAMPLES": 24,
    "N_THRESHOLD": 20,
    "N_PERMUTATIONS": 3,
}


def tiny_study(out, roberta=None, t5=None, **parameters) -> PromptStudy:
    """With the kinds whose backbone is given."""
    named = {kind: str(folder) for kind, folder in (("ROBERTA", roberta), ("T5", t5)) if folder}
    kinds = {"KINDS": ", ".join(name.lower() for name in named)}
    return PromptStudy(TINY | {"OUT": str(out)} | named | kinds | parameters)


def write_adversarial_films(folder, n=13) -> None:
    """An adversarial set of mini_films, each text another one, with more of class 0 if n is odd."""
    words = "great awful fine boring good bad dull poor happy sad love hate best worst".split()
    records = [
        {
            "texts": [f" the film was {word[::-1]} and {other} ."],
            "label": number % 2,
            "original_texts": [f"the film was {word} and {other} . "],
        }
        for number, (word, other) in enumerate(list(pairwise(words))[:n])
    ]
    write_set(folder, "mini_adv_films", "mini_films", records, {"made": "by hand"})
