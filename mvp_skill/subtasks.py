"""A task of several classes as binary subtasks, each with skill neurons of its own.

    for subtask in POLAR:                                # contradiction, neutral, entailment
        accuracy = balanced_neuron_accuracy(counts_of(counts, subtask))

Where one side of a subtask is larger, as "the rest" is, score it with balanced neuron accuracy: the
mean over all samples with as many examples of either side. (Wang et al.'s code scores one sample,
with one example fewer than the smaller side has, and always the first ones.)

Source: Wang et al. 2022, for POLAR.
"""

from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from mvp_skill.checks import check_count
from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import FiringCounts


@dataclass(frozen=True)
class Subtask:
    """Which classes of a task count as class 0 and which as class 1; others are left out."""

    first: tuple[int, ...]
    second: tuple[int, ...]

    def __post_init__(self) -> None:
        classes = self.first + self.second
        if not self.first or not self.second or len(set(classes)) < len(classes):
            raise BadInput(
                f"A subtask tells some classes from others, not {self.first} from {self.second}."
            )


POLAR = (Subtask((0,), (2,)), Subtask((0, 2), (1,)))
"""Of three classes with a neutral one in the middle: the two ends, and neutral against the rest."""


def one_against_rest(n_classes: int) -> tuple[Subtask, ...]:
    """One subtask per class: it is class 1, all others are class 0; two classes are one subtask."""
    check_count("The number of classes", n_classes, 2)
    if n_classes == 2:
        return (Subtask((0,), (1,)),)
    classes = range(n_classes)
    return tuple(Subtask(tuple(c for c in classes if c != one), (one,)) for one in classes)


def counts_of(counts: FiringCounts, subtask: Subtask) -> FiringCounts:
    """The counts of a subtask, with two classes, from those of the whole task.

    Its null is that of the whole task: labels permuted over all examples.

        raises   BadInput if the task does not have the classes
    """
    _check_classes(subtask, len(counts.n))
    sides = [list(subtask.first), list(subtask.second)]
    return replace(
        counts,
        fired=torch.stack([_sum(counts.fired[side], 0) for side in sides]),
        n=torch.stack([counts.n[side].sum() for side in sides]),
        null_fired=torch.stack([_sum(counts.null_fired[:, side], 1) for side in sides], dim=1),
    )


def _sum(counts: Tensor, axis: int) -> Tensor:
    return counts.sum(dim=axis, dtype=counts.dtype)


def _check_classes(subtask: Subtask, n_classes: int) -> None:
    if not set(chain(subtask.first, subtask.second)) <= set(range(n_classes)):
        raise BadInput(
            f"A task of {n_classes} classes has no subtask {subtask.first} against "
            f"{subtask.second}; classes are 0 to {n_classes - 1}."
        )
