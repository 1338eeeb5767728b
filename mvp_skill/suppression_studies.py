"""Suppression curves: the accuracy that is left as ever more neurons of each layer are silenced.

    study = SuppressionStudy(neurons, rates=(0, 5, 15), n_draws=2)
    rows = study.rows([Curve("roberta", "mini_films", seed=0)])

A row per run: the columns of `Curve`, rate, which ("none", "skill", "random"), draw, right, acc, n.
Neurons are ranked on one half of the test split, and suppressed on the other. Curves lie in
`OUT/neurons`, whatever notebook asked for them first.

Source: Ackermann and Ohmer 2023, who rank and suppress on the same examples, with one draw of
random neurons for all seeds.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from mvp_skill.activations import observe
from mvp_skill.checks import check_choice, check_count
from mvp_skill.conditions import numbers_of
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.neuron_preflight import MOST_WITH_RANDOM, check_highest
from mvp_skill.neuron_studies import NeuronStudy, split_digest
from mvp_skill.right_tables import as_text, stored_rows
from mvp_skill.seeding import derived_seed
from mvp_skill.skill_neurons import random_neurons, skill_neurons
from mvp_skill.subsamples import sample_of
from mvp_skill.suppression_sweeps import each_suppressed_right

if TYPE_CHECKING:
    from pandas import DataFrame

RATES = (0, 1, 3, 5, 7, 9, 11, 13, 15)
"""Per cent of the neurons of each layer; Ackermann and Ohmer 2023."""
GAUSSIAN_SD = 0.1
"""Wang et al. 2022."""
RANKINGS = ("all seeds", "own seed")


class Selection(NamedTuple):
    """Neurons to suppress, and how they were chosen."""

    rate: float
    """Per cent of each layer."""
    which: str
    """ "none", "skill", "random" or "all" """
    draw: int
    """Of random neurons; otherwise 0."""
    neurons: Tensor
    """bool [layer, neuron]"""


class Curve(NamedTuple):
    """One soft prompt whose neurons are suppressed, step by step."""

    kind: str
    task: str
    seed: int | str
    data: str | None = None
    """What accuracy is measured on: the task itself (None), or its adversarial set."""
    ranked_on: str | None = None
    """What the skill neurons were ranked on, likewise."""
    ranking: str = "all seeds"
    """By the mean predictivity over seeds, as in the paper, or by that of its "own seed"."""
    how: str = "zero"
    positions: str = "all"
    """As in `suppression`."""


def rates_of(given: str | Sequence[int]) -> tuple[int, ...]:
    """Rates in per cent, with commas between; in order, and with 0, where curves begin."""
    return tuple(sorted({0, *(numbers_of(given, "RATES") or ())}))


def selections(pred: Tensor, rates: Sequence[float], n_draws: int, seed: int) -> list[Selection]:
    """Skill and random neurons at each rate, nested; no neurons once, at rate 0.

    Random neurons are never among the skill neurons of the highest rate.

        pred      [layer, neuron]
        rates     per cent of each layer
        n_draws   of random neurons; 0 for none
        raises    BadInput for no rates, or a rate outside [0, 100] or that leaves too few to draw
    """
    if not rates:
        raise BadInput("There are no rates; give one per cent of neurons or more in RATES.")
    skill = {rate: skill_neurons(pred, rate / 100) for rate in dict.fromkeys(rates)}
    found = []
    for rate, neurons in skill.items():
        found.append(Selection(rate, "skill" if rate else "none", 0, neurons))
        if rate and n_draws:
            shape, most = tuple(pred.shape), skill[max(skill)]
            drawn = random_neurons(shape, rate / 100, n_draws, seed, exclude=most)
            found += [Selection(rate, "random", draw, one) for draw, one in enumerate(drawn)]
    return found


class SuppressionStudy:
    """Curves of the soft prompts of a study, each measured once.

    rates        per cent of each layer
    n_draws      of random neurons for each soft prompt, each with draws of its own; 0 for none
    n_measured   examples of the measuring half, a sample with its class shares; None for all
    seed         of that sample, random neurons, noise and resampling
    raises       BadInput for counts that cannot be meant
    """

    def __init__(
        self,
        neurons: NeuronStudy,
        rates: Sequence[float] = RATES,
        n_draws: int = 5,
        n_measured: int | None = None,
        seed: int = 0,
    ):
        check_count("N_DRAWS", n_draws, 0)
        if n_draws:
            check_highest("RATES", max(rates), MOST_WITH_RANDOM)
        if n_measured is not None:
            check_count("N_MEASURED", n_measured, 1)
        self.neurons, self.rates, self.n_draws = neurons, tuple(rates), n_draws
        self.n_measured, self.seed = n_measured, seed
        self._pred: dict[tuple, Tensor] = {}

    def measured(self, curve: Curve) -> Split:
        """The examples that a curve is measured on."""
        model = self.neurons.prompts.start(curve.kind, curve.task)
        half = self.neurons.part(model, curve.data or curve.task)
        return sample_of(half, self.n_measured, self.seed)

    def predictivity(self, curve: Curve) -> Tensor:
        """What a curve's skill neurons are ranked by, [layer, neuron]."""
        check_choice("ranking", curve.ranking, RANKINGS)
        kind, task, on = curve.kind, curve.task, curve.ranked_on or curve.task
        seed = curve.seed if curve.ranking == "own seed" else None
        if (kind, task, on, seed) not in self._pred:
            self._pred[kind, task, on, seed] = (
                self.neurons.predictivity(kind, task, on=on)
                if seed is None
                else self.neurons.scores(kind, task, seed, on=on).predictivity
            )
        return self._pred[kind, task, on, seed]

    def activity(self, curve: Curve) -> tuple[Tensor, Tensor]:
        """Which neurons are ever above 0 at the prompt, and how large they are on average.

        What zero takes away: little from a neuron that says 0 anyway.

            returns   bool [layer, neuron]; mean absolute activation [layer, neuron]
        """
        model = self.neurons.prompts.prompted(curve.kind, curve.task, curve.seed)
        records, pred = self.measured(curve).records, self.predictivity(curve)
        ever, size = torch.zeros_like(pred, dtype=torch.bool), torch.zeros_like(pred)

        def see(layer: int, activation: Tensor, batch: np.ndarray) -> None:
            ever[layer] |= (activation > 0).flatten(0, 1).any(dim=0).cpu()
            size[layer] += activation.abs().mean(dim=1).sum(dim=0).cpu() / len(records)

        observe(model, records, see)
        return ever, size

    def rows(self, curves: Iterable[Curve]) -> "DataFrame":
        """All runs of the curves; what is not stored is measured now, with the time left."""
        import pandas

        curves = list(dict.fromkeys(curves))
        paths = {curve: self._path(curve) for curve in curves}
        missing = [curve for curve in curves if not paths[curve].exists()]
        n_texts = sum(self._n_runs() * len(self.measured(curve).records) for curve in missing)
        with tqdm(
            total=n_texts, unit="text", desc="suppression", mininterval=1, disable=not missing
        ) as bar:
            found = [
                stored_rows(paths[curve], partial(self._measure, curve, bar)).assign(
                    **_named(curve)
                )
                for curve in curves
            ]
        return pandas.concat(found, ignore_index=True)

    def _n_runs(self) -> int:
        return sum(1 + self.n_draws if rate else 1 for rate in dict.fromkeys(self.rates))

    def _measure(self, curve: Curve, bar: tqdm) -> list[dict[str, Any]]:
        prompted = self.neurons.prompts.prompted(curve.kind, curve.task, curve.seed)
        split, given = self.measured(curve), self._options(curve)
        seed = derived_seed(self.seed, "suppression", curve.kind, curve.task, curve.seed)
        chosen = selections(self.predictivity(curve), self.rates, self.n_draws, seed)
        rights = each_suppressed_right(prompted, split, [one.neurons for one in chosen], **given)
        bar.update(rights.numel())
        return [
            {"rate": one.rate, "which": one.which, "draw": one.draw, "right": as_text(right)}
            for one, right in zip(chosen, rights, strict=True)
        ]

    def _options(self, curve: Curve) -> dict[str, Any]:
        given: dict[str, Any] = {"how": curve.how, "positions": curve.positions, "seed": self.seed}
        if curve.how == "mean":
            usual = self.neurons.thresholds(curve.kind, curve.task, curve.seed)
            given["baseline_activation"] = usual.mean
        return given | ({"sd": GAUSSIAN_SD} if curve.how == "gaussian" else {})

    def _path(self, curve: Curve) -> Path:
        """A name of all that the runs depend on."""
        made_of = (
            self.neurons.prompts.key(curve.kind, curve.task, curve.seed),
            split_digest(self.measured(curve)),
            hashlib.sha256(self.predictivity(curve).cpu().numpy().tobytes()).hexdigest(),
            *(self.rates, self.n_draws, self.seed, self.neurons.scale.n_threshold),
            *(GAUSSIAN_SD, curve),
        )
        digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:8]
        name = f"{curve.kind}-{curve.task}-s{curve.seed}-{curve.data or curve.task}"
        return self.neurons.folder / f"{name}-suppressed-{digest}.csv"


def _named(curve: Curve) -> dict[str, Any]:
    """Its columns, with what None stands for."""
    usual = {"data": curve.data or curve.task, "ranked_on": curve.ranked_on or curve.task}
    return curve._asdict() | usual
