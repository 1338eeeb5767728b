"""Are there skill neurons? The best neurons of one half of the test split, seen on the other half.

    found = best_neuron(ranking, measuring, null)     # chosen on one half, judged on the other
    exist(rows)                                       # the verdict over tasks

The best of thousands of neurons looks good on the examples that it was chosen on, with or without
any skill. On other examples that is gone; and the bar there is not one half, but what the best of
as many neurons reaches when the labels are permuted (`neuron_null.py`).
"""

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from mvp_skill.checks import check_table
from mvp_skill.neuron_null import family_p_values
from mvp_skill.skill_neurons import n_selected, ranked

if TYPE_CHECKING:
    from pandas import DataFrame

FEWEST_PERMUTATIONS = 19
"""With fewer, no p can be as small as 0.05."""


class BestNeuron(NamedTuple):
    """The most predictive neuron of a model, chosen on the ranking half."""

    layer: int
    """From 0 on."""
    neuron: int
    ranked: float
    """Predictivity on the ranking half: flattered by the choice."""
    measured: float
    """Predictivity on the other half."""
    null_max: float
    """The largest predictivity of any neuron under any permutation, on the other half."""
    p: float
    """Share of permutations in which some neuron is as good, this half's labels among them."""


class TopMean(NamedTuple):
    """Mean predictivity of the top neurons of a model, chosen on the ranking half."""

    mean: float
    """On the other half."""
    null_max: float
    """The largest such mean of the same neurons under permuted labels."""


def best_neuron(ranking: Tensor, measuring: Tensor, null: Tensor) -> BestNeuron:
    """The best neuron of one half on the other; the first of equally good ones.

    ranking, measuring   predictivities on the halves, [layer, neuron]
    null                 of the measuring half, [permutation, layer, neuron]
    """
    place = int(ranking.argmax())
    layer, neuron = divmod(place, ranking.shape[1])
    values = (x[layer, neuron].item() for x in (ranking, measuring))
    p = family_p_values(measuring, null)[layer, neuron].item()
    return BestNeuron(layer, neuron, *values, null.max().item(), p)


def top_mean(ranking: Tensor, measuring: Tensor, null: Tensor, fraction: float) -> TopMean:
    """The top neurons of the whole model on one half, by their mean on the other.

    fraction   of all neurons; at least one is taken. Shapes as in `best_neuron`
    """
    n_top = max(1, n_selected(ranking.numel(), fraction))
    top = ranked(ranking.reshape(1, -1))[0, :n_top]
    means = null.flatten(1)[:, top].mean(dim=1)  # [permutation]
    return TopMean(measuring.flatten()[top].mean().item(), means.max().item())


def could_show(rows: "DataFrame") -> "DataFrame":
    """The tasks where a skill neuron would be seen if there was one.

    The model has learnt the task, and a neuron as accurate as the model would lie above the null:
    where examples are few, chance alone comes as far.

        rows   with columns learnt, acc, null_max
    """
    check_table(rows, "learnt", "acc", "null_max")
    return rows[rows["learnt"].fillna(False).astype(bool) & (rows["acc"] > rows["null_max"])]


def how_many(rows: "DataFrame") -> str:
    """On how many of these tasks there is one, in words: "7 of 8 tasks that count".

    rows   as in `exist`
    """
    able = could_show(rows)
    return f"{int((able['measured'] > able['null_max']).sum())} of {len(able)} tasks that count"


def exist(rows: "DataFrame", n_permutations: int) -> bool | None:
    """Whether the best neuron is above the null's maximum on every task where it could show.

    None if there is no such task, or fewer permutations than FEWEST_PERMUTATIONS.

        rows   a row per task: learnt, acc, measured, null_max
    """
    able = could_show(rows)
    if able.empty or n_permutations < FEWEST_PERMUTATIONS:
        return None
    return bool((able["measured"] > able["null_max"]).all())
