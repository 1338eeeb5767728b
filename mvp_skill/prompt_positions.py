"""At which prompt positions neurons predict: where the best ones are, and how good each place is.

RoBERTa's position 0 is the mask that the class is read from: the place closest to the answer. How
much of what neurons tell is told there only?

Predictivities are by balanced accuracy: where one class is the commoner, the best neuron by plain
accuracy may be one that always says the same.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mvp_skill.best_neurons import best_neuron
from mvp_skill.errors import BadInput
from mvp_skill.kind_legends import KIND_NAMES
from mvp_skill.neuron_counts import FiringCounts, count_firings
from mvp_skill.neuron_scores import NeuronScores
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.neuron_tables import Scores, mean_of
from mvp_skill.neurons import balanced_neuron_accuracy, predictivity
from mvp_skill.skill_neurons import skill_neurons

if TYPE_CHECKING:
    from pandas import DataFrame


def share_by_position(prompt: Tensor, selected: Tensor, n_prompt: int) -> Tensor:
    """Of the selected neurons, the share whose best position each one is, [prompt].

    prompt     best position of each neuron, [layer, neuron]
    selected   bool [layer, neuron]
    """
    counts = torch.bincount(prompt[selected], minlength=n_prompt)  # [prompt]
    return counts.double() / selected.sum()


def best_by_position(counts: FiringCounts) -> Tensor:
    """The balanced predictivity of the best neuron of each layer at each position.

    returns   [layer, prompt], fp32 in [0.5, 1]
    """
    return predictivity(balanced_neuron_accuracy(counts)).amax(dim=2)


def mean_by_position(counts: FiringCounts, selected: Tensor) -> Tensor:
    """Mean balanced predictivity of selected neurons at each position, [prompt].

    selected   bool [layer, neuron]
    """
    found = predictivity(balanced_neuron_accuracy(counts))  # [layer, prompt, neuron]
    return found.movedim(1, 0)[:, selected].mean(dim=1)  # [prompt]


def lines_by_position(
    neurons: NeuronStudy, kind: str, task: str, seed: int | str, selected: Tensor
) -> "DataFrame":
    """Balanced predictivity at each position, on the measuring half, of one soft prompt.

    selected   bool [layer, neuron]: the top neurons
    returns    series ("best neuron", "mean of the top", with the kind's name), kind, position,
               predictivity
    """
    import pandas

    model = neurons.prompts.prompted(kind, task, seed)
    usual = neurons.thresholds(kind, task, seed)
    counts = count_firings(model, neurons.part(model, task), usual, n_permutations=0)
    found = {"best neuron": best_by_position(counts).amax(dim=0)}  # [prompt]
    found |= {"mean of the top": mean_by_position(counts, selected.to(counts.fired.device))}
    rows = [
        {"series": f"{KIND_NAMES[kind]}, {name}", "kind": kind}
        | {"position": place, "predictivity": value}
        for name, values in found.items()
        for place, value in enumerate(values.tolist())
    ]
    return pandas.DataFrame(rows)


def rows_without_first(ranked: Scores, measured: Scores, fraction: float) -> "DataFrame":
    """What the neurons of each kind and task tell without prompt position 0, mean over seeds.

    ranked, measured   of `neuron_tables.scores_of`: neurons are chosen on the first half, and
                       what they tell is of the second
    fraction           of all neurons of the model: its top
    returns            kind, task, with_first (balanced predictivity of the best neuron, at all
                       positions), without_first, null_max and p (of `without_first`), in_both:
                       share of the top neurons that are among the top without it, too
    raises             BadInput for scores that are not of two or more prompt positions
    """
    import pandas

    rows = []
    for (kind, task), chosen in ranked.items():
        if not chosen[0].after_first.shape[1]:
            raise BadInput(f"The scores of {task} are of one position; there is none to leave out.")
        tested = measured[kind, task]
        whole = best_neuron(*_given(chosen, tested, "balanced", "null_balanced"))
        other = best_neuron(*_given(chosen, tested, "after_first", "null_after_first"))
        preds = (mean_of(chosen, field) for field in ("balanced", "after_first"))
        tops = [skill_neurons(pred, fraction, per="model") for pred in preds]
        row = {"kind": kind, "task": task, "with_first": whole.measured}
        row |= {"without_first": other.measured, "null_max": other.null_max, "p": other.p}
        in_both = (tops[0] & tops[1]).sum().item() / max(1, tops[0].sum().item())
        rows.append(row | {"in_both": in_both})
    return pandas.DataFrame(rows)


def rows_by_positions(
    neurons: NeuronStudy, kind: str, task: str, seed: int | str, names: Sequence[str]
) -> "DataFrame":
    """The best neuron of one soft prompt, read at different positions.

    names     of `activations.POSITIONS`
    returns   positions, and the fields of `BestNeuron`, by balanced accuracy
    """
    import pandas

    rows = []
    for name in names:
        chosen, tested = (
            neurons.scores(kind, task, seed, part=part, positions=name)
            for part in ("ranking", "measuring")
        )
        found = best_neuron(*_given([chosen], [tested], "balanced", "null_balanced"))
        rows.append({"positions": name} | found._asdict())
    return pandas.DataFrame(rows)


def _given(
    chosen: Sequence[NeuronScores], tested: Sequence[NeuronScores], pred: str, null: str
) -> tuple[Tensor, Tensor, Tensor]:
    """What `best_neuron` takes, mean over seeds."""
    return mean_of(chosen, pred), mean_of(tested, pred), mean_of(tested, null)
