"""What the scores of a study's neurons say, as tables: a row per kind and task.

ranked, measured = (scores_of(neurons, part) for part in ("ranking", "measuring"))
rows = existence_rows(neurons, ranked, measured, fraction=0.01)
pairs_of(ranked, "roberta")        # how alike the rankings of every two tasks and seeds are
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mvp_skill.best_neurons import best_neuron, top_mean
from mvp_skill.learnt import has_learnt
from mvp_skill.neuron_scores import NeuronScores
from mvp_skill.neuron_statistics import inhibitory_share, rank_correlations
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.neurons import aggregate_scores
from mvp_skill.prompt_similarity import PAIRS
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.task_types import clean_task
from mvp_skill.transfer_study import adversarial_targets
from mvp_skill.type_legends import type_of

if TYPE_CHECKING:
    from pandas import DataFrame

Scores = Mapping[tuple[str, str], Sequence[NeuronScores]]
"""(kind, task) to the scores of each seed."""


def scores_of(
    neurons: NeuronStudy,
    part: str,
    stack: str = "encoder",
    kinds: Sequence[str] | None = None,
    seeds: Sequence[int | str] | None = None,
) -> dict[tuple[str, str], list[NeuronScores]]:
    """The scores of all tasks of a study on a part of their test splits.

    part, stack    as in `NeuronStudy.scores`
    kinds, seeds   None takes all of the study
    """
    study = neurons.prompts
    return {
        (kind, task): [
            neurons.scores(kind, task, seed, part=part, stack=stack)
            for seed in seeds or study.scale.seeds
        ]
        for kind in kinds or study.kinds
        for task in study.scale.tasks
    }


def adversarial_sets(study: PromptStudy) -> tuple[str, ...]:
    """The adversarial sets of a study's tasks whose files are there."""
    return tuple(adversarial_targets(study)[0])


def adversarial_scores(
    neurons: NeuronStudy, sets: Sequence[str]
) -> dict[tuple[str, str], list[NeuronScores]]:
    """The scores of all seeds of the study on adversarial sets, thresholds from clean training.

    sets      names of adversarial sets, each of a task of the study
    returns   (kind, set) to the scores of each seed, of the soft prompts of its clean task
    """
    study = neurons.prompts
    return {
        (kind, name): [
            neurons.scores(kind, clean_task(name), seed, on=name, part="apart")
            for seed in study.scale.seeds
        ]
        for kind in study.kinds
        for name in sets
    }


def mean_of(scores: Sequence[NeuronScores], field: str = "predictivity") -> Tensor:
    """A field of the scores, mean over seeds: [layer, neuron], of a null also [permutation, ...]"""
    return aggregate_scores(getattr(found, field) for found in scores)


def existence_rows(
    neurons: NeuronStudy,
    ranked: Scores,
    measured: Scores,
    fraction: float = 0.01,
    balanced: bool = False,
    seeds: Sequence[int | str] | None = None,
) -> "DataFrame":
    """The best neuron and the mean of the top ones, beside the model and what chance gives.

    ranked, measured   of `scores_of` for the two halves: neurons are chosen on the first, and all
                       numbers but `ranked` are of the second
    fraction           of all neurons of the model, for the mean
    balanced           by balanced accuracy of the neurons
    seeds              those that the scores are of, for the model's accuracy; None for all
    returns            kind, task, n, majority_rate, acc (of the model, mean over seeds), learnt
                       (never, if its prompts may have seen these examples), n_constant (neurons,
                       mean over seeds), n_neurons, top_mean, top_null_max, and the fields of
                       `BestNeuron`
    """
    import pandas

    fields = ("balanced", "null_balanced") if balanced else ("predictivity", "null")
    rows, flagged = [], neurons.prompts.flagged()
    for (kind, task), chosen in ranked.items():
        tested = measured[kind, task]
        given = mean_of(chosen, fields[0]), *(mean_of(tested, field) for field in fields)
        acc, n = model_accuracy(neurons, kind, task, seeds), int(tested[0].n.sum())
        majority = tested[0].majority_rate
        top = top_mean(*given, fraction)
        row = {"kind": kind, "task": task, "n": n, "majority_rate": majority, "acc": acc}
        counts = (kind, task) not in flagged
        row |= {"learnt": counts and has_learnt(acc, n, majority), "n_neurons": given[0].numel()}
        row |= {"n_constant": sum(int(s.constant.sum()) for s in tested) / len(tested)}
        row |= {"top_mean": top.mean, "top_null_max": top.null_max}
        rows.append(row | best_neuron(*given)._asdict())
    return pandas.DataFrame(rows)


def model_accuracy(
    neurons: NeuronStudy, kind: str, task: str, seeds: Sequence[int | str] | None = None
) -> float:
    """Clean accuracy on the measuring half, mean over seeds; None takes all of the study."""
    shares = [
        neurons.right_of(kind, task, seed).double().mean().item()
        for seed in seeds or neurons.scale.seeds
    ]
    return sum(shares) / len(shares)


def pairs_of(scores: Scores, kind: str) -> "DataFrame":
    """Spearman's rho of the rankings of every two soft prompts of a kind.

    Over all neurons of a layer, mean over layers.

        returns   first, second (task and number of the seed), first_task, second_task, same_task,
                  same_seed, pair (one of PAIRS), rho
    """
    named = {
        (task, place): found.predictivity
        for (of, task), seeds in scores.items()
        if of == kind
        for place, found in enumerate(seeds)
    }
    return _pairs(named)


def task_pairs(scores: Scores, kind: str, field: str = "predictivity") -> "DataFrame":
    """The same for tasks, by their predictivities' mean over seeds; first, second are tasks."""
    named = {(task, 0): mean_of(found, field) for (of, task), found in scores.items() if of == kind}
    frame = _pairs(named)
    return frame.assign(first=frame["first_task"], second=frame["second_task"])


def agreement_of_halves(first: Scores, second: Scores) -> "DataFrame":
    """How far a ranking is that of a soft prompt, and not of the examples it was made from.

    returns   kind, task, rho of the two halves of the test split for the same soft prompt (mean
              over seeds): no two tasks can be expected to agree better
    """
    import pandas

    rows = []
    for (kind, task), seeds in first.items():
        both = zip(seeds, second[kind, task], strict=True)
        rhos = [rank_correlations([a.predictivity, b.predictivity])[0, 1] for a, b in both]
        rows.append({"kind": kind, "task": task, "rho": torch.stack(rhos).mean().item()})
    return pandas.DataFrame(rows)


def inhibitory_by_layer(
    scores: Scores, selected: Mapping[tuple[str, str], Tensor] | None = None
) -> "DataFrame":
    """Share of the neurons of each layer that speak for class 0, by kind.

    Of each seed those neurons are counted that are not constant for it (see `inhibitory_share`).

        scores     of the seeds of each kind and task; every seed of a task counts alike, every task
                   too, if it has such a neuron in the layer
        selected   (kind, task) to bool [layer, neuron]: of these neurons only
        returns    index kind, columns layers from 1 on; NaN where no task has a neuron
    """
    import pandas

    shares: dict[str, list[Tensor]] = {}
    for (kind, task), seeds in scores.items():
        which = None if selected is None else selected[kind, task]
        by_seed = [inhibitory_share(s.excitatory, s.constant, which) for s in seeds]
        shares.setdefault(kind, []).append(torch.stack(by_seed).nanmean(dim=0))  # [layer]
    means = {kind: torch.stack(found).nanmean(dim=0).tolist() for kind, found in shares.items()}
    frame = pandas.DataFrame(means).T
    return frame.set_axis(range(1, frame.shape[1] + 1), axis=1)


def _pairs(named: dict[tuple[str, int], Tensor]) -> "DataFrame":
    import pandas

    columns = ["first", "second", "first_task", "second_task", "same_task", "same_seed"]
    names = list(named)
    rho = rank_correlations(list(named.values())) if named else None
    rows = []
    for i, j in combinations(range(len(names)), 2):
        (a, seed_a), (b, seed_b) = names[i], names[j]
        alike = 0 if a == b else 1 if type_of(a) == type_of(b) else 2
        row = [f"{a}-{seed_a}", f"{b}-{seed_b}", a, b, a == b, seed_a == seed_b]
        rows.append([*row, PAIRS[alike], rho[i, j].item()])
    return pandas.DataFrame(rows, columns=[*columns, "pair", "rho"])
