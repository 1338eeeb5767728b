"""Do skill neurons of clean data carry over to adversarial data?

    tasks = tasks_with_adversarial(study)
    found = carried_over(neurons, "t5", "mini_films")
    auc = compared(found, partial(mean_auc, fraction=0.1))
    auc.mean, auc.null.max(), auc.control.mean(), auc.kept

The ranking on the clean ranking half is set beside three others: by adversarial data (the paper has
this one alone), apart from texts that were made from that half; by the same with permuted labels,
which is chance; and by samples of the *other* clean half of that size, the most to be expected.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mvp_skill.best_neurons import FEWEST_PERMUTATIONS
from mvp_skill.errors import BadInput
from mvp_skill.learnt import has_learnt
from mvp_skill.neuron_samples import sample_predictivities
from mvp_skill.neuron_statistics import precision_curve, rank_correlations_of_layers, skill_auc
from mvp_skill.neuron_studies import OWN, NeuronStudy
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.skill_neurons import skill_neurons
from mvp_skill.task_types import adversarial_task, sets_of

Statistic = Callable[[Tensor, Tensor], Tensor]
"""Of a clean ranking and another one, each [layer, neuron]: a number, or several."""


class Carried(NamedTuple):
    """Predictivities behind the soft prompts of one task and kind, each [seed, ..., neuron]."""

    clean: Tensor
    """On the ranking half: who the skill neurons are, [seed, layer, neuron]"""
    adversarial: Tensor
    """On the adversarial set, with thresholds of clean training data, [seed, layer, neuron]"""
    own: Tensor
    """The same with the means of the adversarial set as thresholds, [seed, layer, neuron]"""
    null: Tensor
    """On the adversarial set with permuted labels, [seed, permutation, layer, neuron]"""
    control: Tensor
    """On samples of the measuring half of the adversarial size, [seed, draw, layer, neuron]"""
    n: Tensor
    """Adversarial examples, [class]"""


class Compared(NamedTuple):
    """One statistic of a clean ranking and each other one; dimensions of its own come last."""

    adversarial: Tensor
    """[seed, ...]"""
    own: Tensor
    """[seed, ...]"""
    null_of_seeds: Tensor
    """[seed, permutation, ...]"""
    control_of_seeds: Tensor
    """[seed, draw, ...]"""

    @property
    def mean(self) -> Tensor:
        """On adversarial data, mean over seeds."""
        return self.adversarial.mean(dim=0)

    @property
    def null(self) -> Tensor:
        """By chance, mean over seeds, [permutation, ...]."""
        return self.null_of_seeds.mean(dim=0)

    @property
    def control(self) -> Tensor:
        """On clean samples, mean over seeds, [draw, ...]."""
        return self.control_of_seeds.mean(dim=0)

    @property
    def p(self) -> Tensor:
        """How often chance gives as much: (1 + permutations at least as good) / (1 + all)."""
        return (1 + (self.null >= self.mean).sum(dim=0)) / (1 + len(self.null))

    @property
    def kept(self) -> Tensor:
        """Of what clean samples have above chance, the share that adversarial data have, [...].

        1: as much as clean data of that size; 0: what chance gives; below 0: the other way round.
        Of means over seeds: a seed whose clean samples are hardly above chance has no such share.
        """
        chance = self.null.mean(dim=0)
        return (self.mean - chance) / (self.control.mean(dim=0) - chance)

    @property
    def kept_of_seeds(self) -> Tensor:
        """The same of each seed; NaN if its permutations reach the mean of its clean samples."""
        chance, clean = self.null_of_seeds.mean(dim=1), self.control_of_seeds.mean(dim=1)
        kept = (self.adversarial - chance) / (clean - chance)
        return kept.where(clean > self.null_of_seeds.amax(dim=1), torch.nan)

    @property
    def is_able(self) -> bool:
        """Whether clean samples of that size are all above all that chance gives.

        If not, too few examples, or a task that was not learnt, say nothing about carrying over.
        """
        enough = len(self.null) >= FEWEST_PERMUTATIONS
        return enough and bool(self.control.min() > self.null.max())


def tasks_with_adversarial(study: PromptStudy) -> dict[str, str]:
    """The tasks of a study that have an adversarial set, and that set's name.

    raises   BadInput if none has, or the test split is too small for samples like the set
    """
    found = sets_of(study.scale.tasks)
    for task, name in found.items():
        _check_room(study, task, name)
    return found


def carried_over(neurons: NeuronStudy, kind: str, task: str, n_control: int = 20) -> Carried:
    """All predictivities that a comparison of one task and kind needs, for every seed.

    n_control   clean samples of the adversarial size
    raises      BadInput if the task has no adversarial set
    """
    if (name := adversarial_task(task)) is None:
        raise BadInput(f"{task} has no adversarial set; choose a task that has one.")
    seeds, columns = neurons.scale.seeds, []
    for seed in seeds:
        clean = neurons.scores(kind, task, seed, part="ranking")
        there = neurons.scores(kind, task, seed, on=name, part="apart")
        own = neurons.scores(kind, task, seed, on=name, part="apart", source=OWN)
        model = neurons.prompts.prompted(kind, task, seed)
        measuring, like = neurons.part(model, task), neurons.part(model, name, "apart")
        thresholds = neurons.thresholds(kind, task, seed)
        control = sample_predictivities(model, measuring, like, thresholds, n_control)
        columns.append(
            (clean.predictivity, there.predictivity, own.predictivity, there.null, control)
        )
    return Carried(*map(torch.stack, zip(*columns, strict=True)), there.n)


def accuracies(neurons: NeuronStudy, kind: str, task: str) -> dict[str, float | int | str | bool]:
    """A row on the model itself: what its soft prompts reach on clean and on adversarial text.

    returns   kind, task; clean (on the measuring half) and adversarial, mean over seeds, with
              their n_clean and n_adversarial and constant guesses; learnt (not if flagged)
    """
    prompts, row = neurons.prompts, {"kind": kind, "task": task}
    for name, data, part in (
        ("clean", task, "measuring"),
        ("adversarial", adversarial_task(task), "apart"),
    ):
        right = [
            neurons.right_of(kind, task, seed, data, part).double() for seed in neurons.scale.seeds
        ]
        labels = neurons.part(prompts.start(kind, task), data, part).labels
        row |= {name: torch.stack(right).mean().item(), f"n_{name}": len(labels)}
        row |= {f"guess_{name}": (labels.bincount().max() / len(labels)).item()}
    learnt = has_learnt(row["clean"], row["n_clean"], row["guess_clean"])
    return row | {"learnt": learnt and (kind, task) not in prompts.flagged()}


def compared(found: Carried, statistic: Statistic) -> Compared:
    """A statistic of each seed's clean ranking and each of that seed's other rankings."""

    def each(truth: Tensor, others: Tensor) -> Tensor:
        return torch.stack([statistic(truth, other) for other in others])

    single = [
        torch.stack([statistic(t, o) for t, o in zip(found.clean, others, strict=True)])
        for others in (found.adversarial, found.own)
    ]
    several = [
        torch.stack([each(t, o) for t, o in zip(found.clean, others, strict=True)])
        for others in (found.null, found.control)
    ]
    return Compared(*single, *several)


def mean_auc(truth: Tensor, pred: Tensor, fraction: float) -> Tensor:
    """How well another ranking tells the skill neurons of each layer, mean over layers, []."""
    return skill_auc(skill_neurons(truth, fraction), pred).mean()


def correlation_of_layers(truth: Tensor, pred: Tensor) -> Tensor:
    """Spearman's rho over all neurons of each layer, [layer]."""
    return rank_correlations_of_layers([truth, pred])[:, 0, 1]


def precisions(truth: Tensor, pred: Tensor, fractions: Sequence[float]) -> Tensor:
    """Share of the top neurons of one ranking that are on top of the other, [fraction]."""
    shares = [found.share for found in precision_curve(truth, pred, fractions)]
    return torch.tensor(shares, dtype=torch.float64)


def carries_over(found: Sequence[Compared]) -> bool | None:
    """Whether the clean ranking shows on every adversarial set where it could.

    True     on each of them more than under any permutation
    False    not so on one of them
    None     there is none where clean samples of the size show it (`Compared.is_able`)
    """
    able = [one for one in found if one.is_able]
    return all(bool(one.mean > one.null.max()) for one in able) if able else None


def does_not_carry_over(found: Sequence[Compared]) -> bool | None:
    """Whether it shows on none of the sets where it could; None if there is none."""
    able = [one for one in found if one.is_able]
    return not any(bool(one.mean > one.null.max()) for one in able) if able else None


def loses(found: Sequence[Compared]) -> bool | None:
    """Whether adversarial data have less of it than every clean sample of that size, on every set.

    None with fewer samples than FEWEST_PERMUTATIONS, or without a set where it could show.
    """
    able = [one for one in found if one.is_able and len(one.control) >= FEWEST_PERMUTATIONS]
    return all(bool(one.mean < one.control.min()) for one in able) if able else None


def keeps_more(first: Sequence[Compared], second: Sequence[Compared]) -> bool | None:
    """Whether one kind keeps more than another, by `kept_of_seeds`, mean over sets.

    True     every seed of the first keeps more than every seed of the second
    False    the mean of the first is not above that of the second
    None     neither, fewer than three seeds (three of each are the fewest for p = 0.05), or a set
             and seed where it could not show
    """
    both = [*first, *second]
    if not both or not all(one.is_able and len(one.adversarial) >= 3 for one in both):
        return None
    a, b = (
        torch.stack([one.kept_of_seeds for one in side]).mean(dim=0) for side in (first, second)
    )
    if a.isnan().any() or b.isnan().any():
        return None
    if a.min() > b.max():
        return True
    return False if a.mean() <= b.mean() else None


def _check_room(study: PromptStudy, task: str, name: str) -> None:
    there = Counter(study.data(task)["test"]["label"][:])
    wanted = Counter(study.data(name)["test"]["label"][:])
    if any(there[label] // 2 < n for label, n in wanted.items()):
        raise BadInput(
            f"Half of the test split of {task} has {[n // 2 for _, n in sorted(there.items())]} "
            f"examples per class, {name} has {[n for _, n in sorted(wanted.items())]}; clean "
            "samples of that size need a larger N_TEST."
        )
