"""How much accuracy returns if some neurons are put back into their clean state.

    study = PatchingStudy(neurons, rates=(1, 5, 15), n_draws=2)
    rows = study.rows([Patched("roberta", "mini_films", seed=0, data="mini_adv_films")])

A row per run: kind, task, seed, data, donor (whose activations), rate, which, draw, right, acc, n.
`which` is "none" (the adversarial text as it is), "clean" (its original, as it is), "skill",
"random" or "all". Rows lie in `OUT/neurons`, whatever notebook asked for them first.

Ours: a causal test of the conclusion of Ackermann and Ohmer 2023, who show a correlation.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from mvp_skill.checks import check_choice, check_count
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.neuron_studies import NeuronStudy, split_digest
from mvp_skill.originals import originals
from mvp_skill.patched_pairs import each_patched_logits
from mvp_skill.prediction import predict_records
from mvp_skill.right_tables import as_text, stored_rows
from mvp_skill.seeding import derived_seed
from mvp_skill.suppression import patching
from mvp_skill.suppression_studies import Selection, selections

if TYPE_CHECKING:
    from pandas import DataFrame

DONORS = ("own original", "same class", "other class", "mean")
"""Whose clean activations: the text's original, another example's, or the mean over all."""


class Patched(NamedTuple):
    """One soft prompt that reads an adversarial set with patched neurons."""

    kind: str
    task: str
    seed: int | str
    data: str
    """An adversarial set of the task."""
    donor: str = "own original"


def other_examples(labels: Tensor, same_class: bool, seed: int) -> np.ndarray:
    """For each example another one, of its class or of another one; at random, numbers [batch].

    Within a class each lends once, and never to itself.

        raises   BadInput if there is nobody to lend
    """
    found = np.full(len(labels), -1)
    for label in labels.unique().tolist():
        here = (labels == label).nonzero()[:, 0].numpy()
        generator = np.random.default_rng(derived_seed(seed, "other example", label))
        if same_class:
            lenders = generator.permutation(here)  # a cycle: each lends to the next
            found[lenders], n = np.roll(lenders, 1), len(here) - 1
        else:
            others, n = (labels != label).nonzero()[:, 0].numpy(), int((labels != label).sum())
            found[here] = generator.choice(others, len(here)) if n else -1
        if not n:
            kind = "its own" if same_class else "another"
            raise BadInput(f"Class {label} has no example of {kind} class; take more examples.")
    return found


class PatchingStudy:
    """Patched runs of the soft prompts of a study, each made once.

    rates     per cent of each layer
    n_draws   of random neurons for each soft prompt, each with draws of its own; 0 for none
    seed      of random neurons and of other examples
    raises    BadInput for a count that cannot be meant
    """

    def __init__(
        self, neurons: NeuronStudy, rates: Sequence[float], n_draws: int = 5, seed: int = 0
    ):
        check_count("N_DRAWS", n_draws, 0)
        self.neurons, self.rates, self.n_draws, self.seed = neurons, tuple(rates), n_draws, seed
        self._pairs: dict[tuple[str, str], tuple[Split, Split | None]] = {}
        self._pred: dict[tuple[str, str], Tensor] = {}

    def pairs(self, prompted: nn.Module, data: str) -> tuple[Split, Split | None]:
        """An adversarial set and its originals, as a model reads them; None if there are none.

        Pairs whose original is in the half that ranks neurons are left out.

        prompted   of the clean task
        raises     BadInput if none is left
        """
        key = prompted.config.model_type, data
        if key not in self._pairs:
            apart = ~self.neurons.from_ranking(prompted, data)
            texts = originals(data, self.neurons.prompts.data(data)["test"]["texts"][:])
            split = self.neurons.part(prompted, data, "apart")
            clean = None
            if texts is not None:
                kept = [text for text, is_apart in zip(texts, apart, strict=True) if is_apart]
                clean = Split(prompted.encode(kept), split.labels)
            self._pairs[key] = split, clean
        return self._pairs[key]

    def predictivity(self, cell: Patched) -> Tensor:
        """What skill neurons are ranked by, [layer, neuron]."""
        key = cell.kind, cell.task
        if key not in self._pred:
            self._pred[key] = self.neurons.predictivity(*key)
        return self._pred[key]

    def rows(self, cells: Iterable[Patched]) -> "DataFrame":
        """All runs of the cells; what is not stored is made now, with the time left."""
        import pandas

        cells = list(dict.fromkeys(cells))
        paths = {cell: self._path(cell) for cell in cells}
        missing = [cell for cell in cells if not paths[cell].exists()]
        with tqdm(
            total=len(missing), unit="cell", desc="patching", mininterval=1, disable=not missing
        ) as bar:
            found = [
                stored_rows(paths[cell], partial(self._measure, cell, bar)).assign(**cell._asdict())
                for cell in cells
            ]
        return pandas.concat(found, ignore_index=True)

    def _selections(self, cell: Patched) -> list[Selection]:
        pred = self.predictivity(cell)
        seed = derived_seed(self.seed, "patching", cell.kind, cell.task, cell.seed)
        every = Selection(100, "all", 0, torch.ones_like(pred, dtype=torch.bool))
        return [*selections(pred, self.rates, self.n_draws, seed), every]

    def _measure(self, cell: Patched, bar: tqdm) -> list[dict[str, Any]]:
        check_choice("donor", cell.donor, DONORS)
        prompted = self.neurons.prompts.prompted(cell.kind, cell.task, cell.seed)
        split, clean = self.pairs(prompted, cell.data)
        chosen = self._selections(cell)
        logits = self._logits(prompted, cell, split, clean, [one.neurons for one in chosen])
        rows = _plain(prompted, cell, split, clean)
        rows += [
            {"rate": one.rate, "which": one.which, "draw": one.draw, "right": _right(found, split)}
            for one, found in zip(chosen, logits, strict=True)
        ]
        bar.update()
        return rows

    def _logits(
        self, prompted: nn.Module, cell: Patched, split: Split, clean: Split | None, neurons: list
    ) -> Iterable[Tensor]:
        """Of each selection, [batch, class]."""
        if cell.donor == "mean":
            usual = self.neurons.thresholds(cell.kind, cell.task, cell.seed).mean
            return [_with_mean(prompted, split, one, usual) for one in neurons]
        if clean is None:
            raise BadInput(
                f"{cell.data} does not say which texts it was made from; choose the donor 'mean'."
            )
        donors = clean.records
        if cell.donor != "own original":
            lent = other_examples(split.labels, cell.donor == "same class", self.seed)
            donors = [donors[number] for number in lent]
        return each_patched_logits(prompted, split.records, donors, neurons)

    def _path(self, cell: Patched) -> Path:
        """A name of all that the runs depend on."""
        prompted = self.neurons.prompts.prompted(cell.kind, cell.task, cell.seed)
        pairs = self.pairs(prompted, cell.data)
        pred = self.predictivity(cell)
        made_of = (
            self.neurons.prompts.key(cell.kind, cell.task, cell.seed),
            *(split_digest(split) for split in pairs if split is not None),
            hashlib.sha256(pred.cpu().numpy().tobytes()).hexdigest(),
            *(self.rates, self.n_draws, self.seed, self.neurons.scale.n_threshold, cell),
        )
        digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:8]
        name = f"{cell.kind}-{cell.task}-s{cell.seed}-{cell.data}-patched-{digest}.csv"
        return self.neurons.folder / name


def _plain(
    prompted: nn.Module, cell: Patched, split: Split, clean: Split | None
) -> list[dict[str, Any]]:
    """The texts as they are: once for each soft prompt, not again for other donors."""
    if cell.donor != "own original" and clean is not None:
        return []
    read = {"none": split} if clean is None else {"none": split, "clean": clean}
    rights = {
        which: _right(predict_records(prompted, one.records), one) for which, one in read.items()
    }
    return [{"rate": 0, "which": w, "draw": 0, "right": right} for w, right in rights.items()]


def _with_mean(prompted: nn.Module, split: Split, neurons: Tensor, usual: Tensor) -> Tensor:
    with patching(prompted, neurons, usual):
        return predict_records(prompted, split.records)


def _right(logits: Tensor, split: Split) -> str:
    return as_text(logits.argmax(dim=-1) == split.labels)
