"""Which neurons: the most predictive ones, and as many at random.

    skill = skill_neurons(pred, 0.05)                          # bool [layer, neuron]
    others = random_neurons(pred.shape, 0.05, n_draws=5, seed=0, exclude=skill)

Source: Wang et al. 2022; Ackermann and Ohmer 2023. Several draws of random neurons are ours.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from mvp_skill.checks import check_choice, check_count
from mvp_skill.errors import BadInput
from mvp_skill.seeding import derived_seed


def skill_neurons(pred: Tensor, fraction: float, per: str = "layer") -> Tensor:
    """The top fraction of neurons by predictivity, in each layer or of the whole model.

    The number is rounded down: 1 % of 3,072 are 30. Of equally predictive neurons the lower number
    (per model: the lower layer) comes first; so the sets of growing fractions are nested.

        pred       [layer, neuron]
        fraction   in [0, 1]
        per        "layer", as the papers suppress them; "model", to see where the best ones are
        returns    bool [layer, neuron]
        raises     BadInput for another fraction or `per`, or a predictivity that is no number
    """
    check_choice("per", per, ("layer", "model"))
    if pred.isnan().any():
        raise BadInput("Some predictivities are NaN; score neurons on examples of both classes.")
    rows = pred if per == "layer" else pred.reshape(1, -1)  # [layer or 1, neuron]
    best = ranked(rows)[:, : n_selected(rows.shape[1], fraction)]
    return torch.zeros_like(rows, dtype=torch.bool).scatter(1, best, True).reshape(pred.shape)


def random_neurons(
    shape: tuple[int, int],
    fraction: float,
    n_draws: int = 5,
    seed: int = 0,
    exclude: Tensor | None = None,
) -> Tensor:
    """Several draws of as many neurons per layer, at random and without replacement.

    The sets of growing fractions are nested within a draw, as long as `exclude` is the same.

        shape     (layers, neurons per layer)
        exclude   bool [layer, neuron]: neurons that are not to be drawn, such as skill neurons
        returns   bool [draw, layer, neuron], on the CPU
        raises    BadInput for a fraction outside [0, 1], or if too few neurons are left to draw
    """
    n_layers, n_neurons = shape
    k = torch.full((n_layers,), n_selected(n_neurons, fraction))
    return _drawn(k, n_neurons, n_draws, seed, exclude)


def random_like(
    selected: Tensor, n_draws: int = 5, seed: int = 0, exclude: Tensor | None = None
) -> Tensor:
    """As `random_neurons`, with as many in each layer as a selection has: [draw, layer, neuron].

    selected   bool [layer, neuron], such as the skill neurons of the whole model
    """
    return _drawn(selected.sum(dim=1).cpu(), selected.shape[1], n_draws, seed, exclude)


def skill_neurons_of_subtasks(predictivities: Sequence[Tensor], fraction: float) -> Tensor:
    """As many neurons per layer as `skill_neurons` has, of all subtasks together.

    The k neurons of a layer are shared out among the subtasks. Each in turn takes its best ones
    that no subtask before has taken: none counts twice, and sets of growing fractions are nested.

        predictivities   of each subtask, [layer, neuron]
        returns          bool [layer, neuron]

    Source: Wang et al. 2022, for two subtasks.
    """

    if not len(predictivities):
        raise BadInput("There is no subtask; give the predictivities of at least one.")
    n_subtasks, n_neurons = len(predictivities), predictivities[0].shape[1]
    k = n_selected(n_neurons, fraction)
    selected = torch.zeros_like(predictivities[0], dtype=torch.bool)
    for number, pred in enumerate(predictivities):
        order = ranked(pred)  # [layer, neuron]
        free = ~selected.gather(1, order)
        taken = free & (free.cumsum(dim=1) <= (k + number) // n_subtasks)
        selected |= torch.zeros_like(selected).scatter(1, order, taken)
    return selected


def n_selected(n_neurons: int, fraction: float) -> int:
    """How many a fraction of n neurons is, rounded down; exact for decimals such as 0.29."""
    if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise BadInput(f"A fraction of neurons must be a number from 0 to 1, not {fraction!r}.")
    return math.floor(Fraction(repr(float(fraction))) * n_neurons)


def ranked(pred: Tensor) -> Tensor:
    """Numbers of the neurons of each layer, the most predictive first, [layer, neuron]."""
    return pred.sort(dim=1, descending=True, stable=True).indices


def _drawn(k: Tensor, n_neurons: int, n_draws: int, seed: int, exclude: Tensor | None) -> Tensor:
    """The first k [layer] of a random order of neurons, [draw, layer, neuron]."""
    check_count("n_draws", n_draws, 1)
    barred = torch.zeros(len(k), n_neurons, dtype=torch.bool)
    barred = barred if exclude is None else exclude.cpu()
    if barred.shape != (len(k), n_neurons) or (k > (~barred).sum(dim=1)).any():
        raise BadInput(
            f"{k.max()} neurons cannot be drawn in each of {len(k)} layers of {n_neurons} with "
            f"{tuple(barred.shape)} neurons excluded ({int(barred.sum())} in all); draw or exclude "
            "fewer."
        )
    draws = [_order(barred, seed, draw).argsort(dim=1) for draw in range(n_draws)]  # places
    return torch.stack(draws) < k[:, None]


def _order(barred: Tensor, seed: int, draw: int) -> Tensor:
    """A random order of the neurons of each layer, barred ones last, [layer, neuron]."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "random neurons", draw))
    chance = torch.rand(barred.shape, generator=generator, dtype=torch.float64)
    return (chance + barred).argsort(dim=1, stable=True)
