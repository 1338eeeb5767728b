"""What can be known to be wrong with the knobs of the notebooks on neurons, before anything runs.

check_knobs({"RATES": "1, 5", "TOP": 0.01})
check_sets({"TASKS": "sst2", "DATA_DIR": "data"})
"""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from mvp_skill.checks import check_count, check_number
from mvp_skill.conditions import names_of, numbers_of
from mvp_skill.errors import BadInput
from mvp_skill.prompt_scales import prompt_settings

READ_SETS = (
    "23_adversarial_data",
    "25_suppression",
    "26_neurons_on_adversarial_data",
    "27_patching",
)
"""Notebooks that read the adversarial sets of their tasks."""
ABOUT_NEURONS = ("TOP", "RATES", "KEPT")
"""A notebook with one of these compares neurons with two classes."""
MOST_WITH_RANDOM = 50
"""Per cent of a layer: as many random neurons have to be left beside the skill neurons."""


def shares_of(given: str | float, name: str) -> list[float]:
    """Shares of neurons, with commas between, each above 0 and at most 1."""
    shares = []
    for text in str(given).split(","):
        try:
            shares.append(float(text))
        except ValueError:
            raise BadInput(f"{name} is shares such as 0.02, 0.1, not {text.strip()!r}.") from None
        if not 0 < shares[-1] <= 1:
            raise BadInput(f"{name} has {text.strip()}, but a share is above 0 and at most 1.")
    return shares


def check_knobs(parameters: Mapping[str, Any]) -> None:
    """BadInput for a knob of notebooks 24 to 29 with a value that cannot be meant."""
    for name in ("KEPT", "SUPPRESSED", "TOP"):
        if parameters.get(name) is not None:
            shares_of(parameters[name], name)
    for name, most in (("RATES", MOST_WITH_RANDOM), ("CURVE", 100)):
        if parameters.get(name) is not None:
            _check_per_cent(parameters[name], name, most)
    for name in ("N_CONTROL", "OTHER_EPOCHS", "ROUNDS"):
        if parameters.get(name) is not None:
            check_count(name, parameters[name], 1)
    if parameters.get("OTHER_RATE") is not None:
        check_number("OTHER_RATE", parameters["OTHER_RATE"], "above 0", 0, math.inf)
    if parameters.get("CLASSES") is not None:
        check_classes(parameters["CLASSES"])


def check_classes(task: str) -> None:
    """BadInput for an unknown task, or one with no more classes than a neuron tells apart."""
    from mvp_skill.tasks import task_named

    if len(task_named(task).label_names) < 3:
        raise BadInput(f"{task} has two classes; give a task of three or more, such as mini_nli.")


def check_two_classes(task: str, parameters: Mapping[str, Any]) -> None:
    """BadInput for a task of more classes in a notebook that compares neurons with two."""
    from mvp_skill.tasks import task_named

    n = len(task_named(task).label_names)
    if n != 2 and any(name in parameters for name in ABOUT_NEURONS):
        raise BadInput(f"A neuron is compared with two classes, but {task} has {n}; leave it out.")


def check_sets(parameters: Mapping[str, Any]) -> None:
    """BadInput if an adversarial set of these tasks is not there."""
    from mvp_skill.task_types import adversarial_task

    scale = prompt_settings(parameters.get("SCALE") or "mini")
    for task in names_of(parameters.get("TASKS")) or scale.tasks:
        if (adversarial := adversarial_task(task)) is not None:
            _check_set(adversarial, parameters.get("DATA_DIR"))


def _check_per_cent(given: Any, name: str, most: int) -> None:
    rates = numbers_of(given, name) or ()
    if not any(rates):
        raise BadInput(
            f"{name} has no rate above 0; give per cent of each layer, such as 1, 5, 15."
        )
    if max(rates) > most:
        why = ", as random neurons are drawn beside the skill neurons" if most < 100 else ""
        raise BadInput(f"{name} goes up to {max(rates)} per cent; give {most} at most{why}.")


@cache
def _check_set(name: str, data_dir: str | None) -> None:
    from mvp_skill.tasks import load_task, task_named

    load_task(name, data_dir=data_dir if task_named(name).published else None)
