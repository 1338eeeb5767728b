"""Neurons of a task of several classes: cut into binary subtasks, each with scores of its own.

task = task_of_classes(study, None)                         # mini_news
neurons, subtasks = study_of_classes(study, task), subtasks_of(task)
subtask_rows(neurons, "roberta", task, seed, subtasks)      # how good the best neuron of each is
neurons_of_classes(neurons, "roberta", task, seed, subtasks, 0.01)

A neuron fires or does not, so it tells two sides apart, never three. Sides of different sizes are
compared by balanced accuracy.

Source: Wang et al. 2022, section 3, for the idea; ours are its balanced scores and the nulls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from mvp_skill.best_neurons import best_neuron
from mvp_skill.neuron_preflight import ABOUT_NEURONS, check_classes
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.skill_neurons import skill_neurons_of_subtasks
from mvp_skill.subtasks import POLAR, Subtask, one_against_rest
from mvp_skill.tasks import task_named

if TYPE_CHECKING:
    from pandas import DataFrame

AT_SCALE = {"mini": "mini_news"}
"""The task of several classes that a scale has, if any."""
EPOCHS = 2
"""Of tuning its soft prompt: enough for topics, and no more time than an example is worth."""


def task_of_classes(study: PromptStudy, given: str | None = None) -> str | None:
    """The task of three or more classes to look at; None if neither asked for nor of the scale.

    given    its name, or None for what the scale has (none with released prompts)
    raises   BadInput for an unknown task, or one of two classes
    """
    if given is None:
        return None if study.is_released else AT_SCALE.get(study.scale.name)
    check_classes(given)
    return given


def study_of_classes(study: PromptStudy, task: str) -> NeuronStudy:
    """The neurons of such a task; as the study, but its soft prompts are tuned for fewer EPOCHS.

    An EPOCHS that was given for the study stays. The same files, the same seeds.
    """
    given = {name: v for name, v in study.parameters.items() if name not in ABOUT_NEURONS}
    changed = {"TASKS": task, "EPOCHS": given.get("EPOCHS") or EPOCHS}
    return NeuronStudy(PromptStudy({**given, **changed}))


def subtasks_of(task: str) -> tuple[Subtask, ...]:
    """Each class against the rest; of three classes also the two ends, the middle left out."""
    n_classes = len(task_named(task).label_names)
    return one_against_rest(n_classes) + (POLAR[:1] if n_classes == 3 else ())


def subtask_rows(
    neurons: NeuronStudy, kind: str, task: str, seed: int | str, subtasks: Sequence[Subtask]
) -> "DataFrame":
    """The best neuron of each subtask, chosen on one half and judged on the other, balanced.

    returns   subtask (in words), n_first, n_second (examples of the measuring half), and the fields
              of `BestNeuron`
    """
    import pandas

    label_names, rows = task_named(task).label_names, []
    for subtask in subtasks:
        ranked, measured = (
            neurons.scores(kind, task, seed, part=part, subtask=subtask)
            for part in ("ranking", "measuring")
        )
        n_first, n_second = measured.n.tolist()
        row = {"subtask": in_words(subtask, label_names), "n_first": n_first, "n_second": n_second}
        found = best_neuron(ranked.balanced, measured.balanced, measured.null_balanced)
        rows.append(row | found._asdict())
    return pandas.DataFrame(rows)


def neurons_of_classes(
    neurons: NeuronStudy,
    kind: str,
    task: str,
    seed: int | str,
    subtasks: Sequence[Subtask],
    fraction: float,
) -> Tensor:
    """The skill neurons of all subtasks together, ranked on the ranking half, bool [layer, neuron].

    fraction   of each layer; the subtasks share it out
    """
    found = (neurons.scores(kind, task, seed, subtask=subtask) for subtask in subtasks)
    return skill_neurons_of_subtasks([scores.balanced for scores in found], fraction)


def in_words(subtask: Subtask, label_names: Sequence[str]) -> str:
    """What a subtask tells apart: "neutral or contradiction against entailment"."""
    sides = (subtask.first, subtask.second)
    return " against ".join(" or ".join(label_names[number] for number in side) for side in sides)
