"""How alike soft prompts are: as tables of numbers, and in the neurons that they activate.

    frame = similarities(prompts)            # a row per pair
    by_pair(frame, "cosine")                 # same task, same type, other type

Source: Su et al. 2022 (arXiv 2111.06719), who ask which similarity predicts whether a prompt
transfers. Unlike there, RoBERTa's row 0 is left out: the model never reads it, and it is the
longest of most tables. The neurons that a prompt activates do not depend on it anyway.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mvp_skill.errors import BadInput
from mvp_skill.soft_prompts import SoftPrompt, used_rows
from mvp_skill.type_legends import type_of

if TYPE_CHECKING:
    from pandas import DataFrame

PAIRS = ("same task", "same type", "other type")
"""Of the same task; of another task of the same type; of a task of another type."""
# Overlapping groups: the first two are those of PAIRS, the others split by seed what is no task's.
FOUR_WAYS = {
    "same task, different seed": "same_task and not same_seed",
    "same type, different task": "same_type and not same_task",
    "different task, same seed": "not same_task and same_seed",
    "different task, different seed": "not same_task and not same_seed",
}
N_BLOCKS = 4
ALL_LAYERS = "all layers"


def cosine(tables: Tensor) -> Tensor:
    """Cosine of whole tables, each as one long vector.

    tables    [table, prompt, d_model]
    returns   [table, table], in [-1, 1]
    """
    flat = normalize(tables.double().flatten(1), dim=1)  # [table, prompt * d_model]
    return flat @ flat.T


def token_cosine(tables: Tensor) -> Tensor:
    """Mean cosine over all pairs of rows, one of either table; the order of rows is no matter.

    The mean over pairs of unit vectors is the product of their means.

        tables    [table, prompt, d_model]
        returns   [table, table], in [-1, 1]; of a table with itself it is not 1
    """
    means = normalize(tables.double(), dim=2).mean(dim=1)  # [table, d_model]
    return means @ means.T


def euclid(tables: Tensor) -> Tensor:
    """1 / (1 + distance) of whole tables, [table, table], in (0, 1]; shapes as `cosine`."""
    return 1 / (1 + _distances(*(2 * [tables.double().flatten(1)])))


def token_euclid(tables: Tensor) -> Tensor:
    """1 / (1 + mean distance over all pairs of rows), [table, table]; shapes as `cosine`."""
    tables = tables.double()
    rows = tables.flatten(0, 1)  # [table * prompt, d_model]
    means = [
        _distances(one, rows).unflatten(1, tables.shape[:2]).mean(dim=(0, 2))  # [table]
        for one in tables
    ]
    return 1 / (1 + torch.stack(means))


MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "cosine": cosine,
    "token_cosine": token_cosine,
    "euclid": euclid,
    "token_euclid": token_euclid,
}


def similarities(
    prompts: Sequence[SoftPrompt], rows: Callable[[SoftPrompt], Tensor] = used_rows
) -> "DataFrame":
    """Every pair of soft prompts of one backbone, with all MEASURES.

    rows      what counts of a prompt, [prompt, d_model]; `lambda prompt: prompt.table` keeps
              RoBERTa's row 0, as Su et al. do
    returns   a row per unordered pair: first, second (names), first_task, second_task, seed (if
              both have the same), same_task, same_type, same_seed, pair (one of PAIRS), and a
              column per measure
    raises    BadInput for fewer than two prompts, or prompts of several backbones or sizes
    """
    import pandas

    sizes = {(prompt.facts.backbone, *prompt.table.shape) for prompt in prompts}
    if len(prompts) < 2 or len(sizes) != 1:
        raise BadInput(
            "Similarity needs two or more soft prompts of one backbone and size, not "
            f"{len(prompts)} of {sorted(map(str, sizes))}."
        )
    names = [prompt.facts.name for prompt in prompts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"Two soft prompts are called {twice[0]}; keep one of each task and seed.")
    tables = torch.stack([rows(prompt) for prompt in prompts])  # [table, prompt, d_model]
    found = {name: measure(tables) for name, measure in MEASURES.items()}  # [table, table] each
    return pandas.DataFrame(
        [
            _pair(prompts[i], prompts[j]) | {name: m[i, j].item() for name, m in found.items()}
            for i, j in combinations(range(len(prompts)), 2)
        ]
    )


def by_pair(frame: "DataFrame", measure: str) -> "DataFrame":
    """Mean, standard deviation (ddof 1) and number of the pairs of each of PAIRS that occurs."""
    groups = frame.groupby("pair")[measure].agg(["mean", "std", "count"])
    return groups.reindex([pair for pair in PAIRS if pair in groups.index])


def four_ways(frame: "DataFrame", measure: str) -> "DataFrame":
    """Mean and number of pairs of each of FOUR_WAYS; NaN where there is none."""
    import pandas

    chosen = {name: frame.query(which)[measure] for name, which in FOUR_WAYS.items()}
    return pandas.DataFrame(
        {name: {"mean": v.mean(), "count": len(v)} for name, v in chosen.items()}
    ).T


def row_0_share(prompt: SoftPrompt) -> float:
    """Share of row 0 in the squared norm of the table; 1 / n_prompt if all rows were alike."""
    squares = prompt.table.double().square().sum(dim=1)  # [prompt]
    return (squares[0] / squares.sum()).item()


def layer_blocks(n_layers: int) -> dict[str, range]:
    """Blocks of layers by name, and all of them: four, of as many layers each as can be.

    Three layers each of twelve, as in Su et al.; one of four; where it does not divide, the first
    blocks have one more. Fewer than four layers are a block each.
    """
    parts = np.array_split(range(n_layers), min(N_BLOCKS, n_layers))
    blocks = {_layers(part): range(part[0], part[-1] + 1) for part in map(list, parts)}
    return blocks | {ALL_LAYERS: range(n_layers)}


def activated_overlap(activations: Tensor, selected: Tensor | None = None) -> dict[str, Tensor]:
    """How far two prompts activate the same neurons (ON of Su et al. 2022).

    A neuron is activated above 0, after the non-linearity as before it (GELU and ReLU keep the
    sign). Of the sets A and B of two prompts this is |A and B| / sqrt(|A| |B|): the cosine of the
    vectors of zeros and ones.

        activations   where the class is read, [table, layer, neuron]
        selected      neurons that count, such as the skill neurons, [layer, neuron]; None for all
        returns       name of a block of layers to [table, table], in [0, 1]; NaN with a table that
                      activates none of them
    """
    activated = (activations > 0).double()  # [table, layer, neuron]
    if selected is not None:
        if selected.shape != activations.shape[1:]:
            raise BadInput(
                f"Selected neurons {list(selected.shape)} do not fit activations of "
                f"{list(activations.shape[1:])} [layer, neuron]."
            )
        activated = activated * selected.double()
    shared = torch.einsum("iln,jln->lij", activated, activated)  # [layer, table, table]
    overlaps = {}
    for name, layers in layer_blocks(activations.shape[1]).items():
        both = shared[list(layers)].sum(dim=0)  # [table, table]
        sizes = both.diagonal()  # [table]
        overlaps[name] = both / (sizes[:, None] * sizes[None]).sqrt()
    return overlaps


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean, [row, row]; not by the product trick, which loses digits near 0."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


def _pair(first: SoftPrompt, second: SoftPrompt) -> dict[str, object]:
    a, b = first.facts, second.facts
    same_task = a.task == b.task
    same_type = type_of(a.task) == type_of(b.task)
    # Seeds of two sources draw other numbers; of Su et al.'s none is known, so all count as one.
    same_seed = (a.source, a.seed) == (b.source, b.seed)
    return {
        "first": a.name,
        "second": b.name,
        "first_task": a.task,
        "second_task": b.task,
        "seed": a.seed if same_seed else None,
        "same_task": same_task,
        "same_type": same_type,
        "same_seed": same_seed,
        "pair": PAIRS[0] if same_task else PAIRS[1] if same_type else PAIRS[2],
    }


def _layers(part: Sequence[int]) -> str:
    """ "layers 1 to 3", counted from 1."""
    return f"layer {part[0] + 1}" if len(part) == 1 else f"layers {part[0] + 1} to {part[-1] + 1}"
