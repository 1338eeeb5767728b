"""How often each neuron fires, per class: two streaming passes over the data.

    usual = baseline_activation(prompted, train.records)             # first pass
    counts = count_firings(prompted, validation, usual)              # second pass

A neuron fires for an example, at a position, where its activation is *above* its baseline
activation. All neuron accuracies follow from these counts (`neurons.py`). Memory is that of the
counts, whatever the number of examples, and each pass is one forward pass per example.

Source: Wang et al. 2022, section 3; Ackermann and Ohmer 2023. The label permutations are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.activations import canonical_order, observe
from mvp_skill.checks import check_choice, check_count
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.seeding import derived_seed

SOURCES = ("clean-train", "own")
"""What a baseline activation is the mean of: the clean training data, so that the decision rule of
a neuron is the same on adversarial data; or the very data that neurons are then scored on."""
MOST_EXAMPLES = 2**24
"""Up to here fp32 counts exactly."""


@dataclass(frozen=True)
class BaselineActivation:
    """The thresholds of all neurons, and where they come from."""

    mean: Tensor
    """[layer, prompt, neuron], fp32"""
    n: int
    """Examples of the mean."""
    source: str
    """One of SOURCES."""
    positions: str
    """One of `activations.POSITIONS`: where the mean was taken, and where neurons are scored."""


@dataclass(frozen=True)
class FiringCounts:
    """For how many examples of each class each neuron fires; int32, on the model's device."""

    fired: Tensor
    """[class, layer, prompt, neuron]"""
    n: Tensor
    """Examples, [class]"""
    null_fired: Tensor
    """The same for labels that were permuted, [permutation, class, layer, prompt, neuron]"""
    threshold_source: str
    n_threshold: int
    positions: str

    @property
    def nulls(self) -> list["FiringCounts"]:
        """The counts of each permutation of the labels, as if it were the true one."""
        return [replace(self, fired=fired) for fired in self.null_fired]

    def without_mask_position(self) -> "FiringCounts":
        """Without prompt position 0, which for RoBERTa is the mask that the class is read from.

        raises   BadInput if the counts are not of prompt positions, or of no other
        """
        if self.positions != "prompt" or self.fired.shape[2] < 2:
            raise BadInput(
                "Only counts at two or more prompt positions can do without the first of them; "
                f"these have {self.fired.shape[2]} (positions: {self.positions})."
            )
        return replace(self, fired=self.fired[:, :, 1:], null_fired=self.null_fired[:, :, :, 1:])


def baseline_activation(
    prompted: nn.Module,
    records: Sequence,
    *,
    positions: str = "prompt",
    source: str = "clean-train",
) -> BaselineActivation:
    """b(l, p, f): the mean activation of each neuron at each prompt position.

    With positions "all", at each position of the longest row, over the texts that come so far.

        records     encoded texts of the training split, all of them or a part
        positions   one of `activations.POSITIONS`
        source      what the records are, one of SOURCES; kept with the result
        raises      BadInput for no records, unknown positions or an unknown source

    Source: Wang et al. 2022, section 3.
    """
    check_choice("source of the baseline activation", source, SOURCES)
    sums: list[Tensor | float] = [0.0] * len(prompted.ffn)
    there: list[Tensor | float] = [0.0] * len(prompted.ffn)

    def add(layer: int, activation: Tensor, batch: object) -> None:
        found, n = _sum_and_n(activation, positions)
        sums[layer] = _longer(sums[layer], found)  # [prompt, neuron]
        there[layer] = _longer(there[layer], n)  # [prompt, 1]

    observe(prompted, records, add, positions)
    mean = (torch.stack(sums) / torch.stack(there)).float()  # [layer, prompt, neuron]
    return BaselineActivation(mean, len(records), source, positions)


def count_firings(
    prompted: nn.Module,
    split: Split,
    thresholds: BaselineActivation,
    *,
    n_permutations: int = 20,
    seed: int = 0,
) -> FiringCounts:
    """For how many examples of each class each neuron is above its baseline activation (strictly).

    With positions "all", up to the last position that has a baseline activation; no neuron fires
    for a text at a position behind its end, and the text counts there all the same.

    thresholds       baseline activations, at the positions where neurons are to be read
    n_permutations   of the labels, counted in the same pass: what chance alone gives
    seed             of the permutations; they do not depend on the order of the examples
    raises           BadInput for labels that are not one class number per example, a class
                     without examples, thresholds that do not fit the model or the data
    """
    check_count("n_permutations", n_permutations, 0)
    labels = _checked_labels(prompted, split)
    _check_thresholds(prompted, split, thresholds)
    device = prompted.ffn[0].weight.device
    least = thresholds.mean.to(device)  # [layer, prompt, neuron]
    n_classes = len(prompted.settings.label_names)
    indicators = _indicators(_with_permutations(split, n_permutations, seed), n_classes).to(device)
    n_layers, *of_layer = least.shape
    totals = torch.zeros(n_layers, len(indicators), least[0].numel(), device=device)

    def add(layer: int, activation: Tensor, batch: Sequence[int]) -> None:
        fired = (_of_length(activation, least.shape[1]) > least[layer]).float()
        totals[layer].addmm_(indicators[:, torch.as_tensor(batch, device=device)], fired.flatten(1))

    observe(prompted, split.records, add, thresholds.positions)
    by_row = totals.int().unflatten(2, of_layer).movedim(1, 0)  # [row, layer, prompt, neuron]
    fired = _by_class(by_row, n_classes)  # [1 + permutation, class, layer, prompt, neuron]
    n = torch.bincount(labels, minlength=n_classes).to(device)
    return FiringCounts(
        fired[0], n, fired[1:], thresholds.source, thresholds.n, thresholds.positions
    )


def _sum_and_n(activation: Tensor, positions: str) -> tuple[Tensor, Tensor]:
    """Over a batch: the sum at each position [prompt, neuron], and of how many texts [prompt, 1].

    Padding is where all neurons are NaN, and there is some at positions "all" only. Any other NaN
    is the model's own, and stays.
    """
    n = activation.new_full((activation.shape[1], 1), len(activation), dtype=torch.float64)
    if positions == "all":
        padding = activation.isnan().all(dim=2, keepdim=True)  # [batch, position, 1]
        n -= padding.sum(dim=0)
        activation = activation.masked_fill(padding, 0)
    return activation.sum(dim=0, dtype=torch.float32).double(), n


def _longer(one: Tensor | float, other: Tensor) -> Tensor:
    """The sum of two tables [position, ...], the shorter of which ends in zeros."""
    if isinstance(one, float):
        return one + other
    length = max(len(one), len(other))
    return sum(F.pad(table, (0, 0, 0, length - len(table))) for table in (one, other))


def _of_length(activation: Tensor, n_positions: int) -> Tensor:
    """Cut to a number of positions, or with NaN up to it: [batch, position, neuron]."""
    missing = n_positions - activation.shape[1]
    if missing <= 0:
        return activation[:, :n_positions]
    return F.pad(activation, (0, 0, 0, missing), value=torch.nan)  # even a pad by 0 would copy


def _with_permutations(split: Split, n_permutations: int, seed: int) -> Tensor:
    """The labels and permutations of them, [1 + permutation, batch]."""
    order = torch.from_numpy(canonical_order(split.records, split.labels))
    vectors = split.labels.repeat(1 + n_permutations, 1)
    for number in range(1, 1 + n_permutations):
        generator = torch.Generator().manual_seed(derived_seed(seed, "label permutation", number))
        shuffled = torch.randperm(len(order), generator=generator)
        vectors[number, order] = split.labels[order[shuffled]]
    return vectors


def _indicators(vectors: Tensor, n_classes: int) -> Tensor:
    """Which examples a row counts, [row, batch]: all, then for each vector classes 1, 2, ...

    Class 0 needs no row: what is not of the other classes is of it.
    """
    classes = torch.arange(1, n_classes)
    of_class = vectors[:, None] == classes[:, None]  # [1 + permutation, class - 1, batch]
    every = torch.ones_like(of_class[:1, 0])
    return torch.cat([every, of_class.flatten(0, 1)]).float()


def _by_class(by_row: Tensor, n_classes: int) -> Tensor:
    """[row, layer, prompt, neuron] -> [1 + permutation, class, layer, prompt, neuron]."""
    others = by_row[1:].unflatten(0, (-1, n_classes - 1))
    first = by_row[0] - others.sum(dim=1, dtype=by_row.dtype)
    return torch.cat([first[:, None], others], dim=1)


def _checked_labels(prompted: nn.Module, split: Split) -> Tensor:
    n_classes = len(prompted.settings.label_names)
    labels, n = split.labels, len(split.records)
    if labels.shape != (n,) or labels.is_floating_point() or n >= MOST_EXAMPLES:
        raise BadInput(
            f"{n} examples (fewer than {MOST_EXAMPLES}) need one class number each, not labels of "
            f"type {labels.dtype} and shape {tuple(labels.shape)}."
        )
    if sorted(set(labels.tolist())) != list(range(n_classes)):
        raise BadInput(
            f"Neurons are scored on examples of every class, 0 to {n_classes - 1}; these are of "
            f"{sorted(set(labels.tolist()))}."
        )
    return labels


def _check_thresholds(prompted: nn.Module, split: Split, thresholds: BaselineActivation) -> None:
    if len(thresholds.mean) != len(prompted.ffn):
        raise BadInput(
            f"The baseline activation is of {len(thresholds.mean)} layers, the model has "
            f"{len(prompted.ffn)}; compute it with the same model."
        )
    if thresholds.source == "own" and thresholds.n != len(split.records):
        raise BadInput(
            f"The baseline activation is the mean of {thresholds.n} examples, and called their own "
            f"by {len(split.records)}; compute it from the records that are scored."
        )
