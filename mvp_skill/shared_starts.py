"""Did two soft prompts begin with the same random numbers? What is left of it shows in the rows.

common, error = start_in_common(tables, deviation=1.0)      # [table, table] each

What tuning adds for a task may point the same way in all rows: the model does not care much in
which of its places a vector stands. Random numbers do: row 7 of one start is like row 7 of the same
start and like no other row. So the product of rows of the same place, minus that of rows of other
places, is what a common start has left, and in units of its own squared length it is 1 if both
prompts kept all of it.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame

    from mvp_skill.soft_prompts import SoftPrompt

MOST_ERROR = 0.25
"""Standard error up to which an estimate tells 1 from 0."""


def start_in_common(tables: Tensor, deviation: float) -> tuple[Tensor, Tensor]:
    """How much of one start two tables share, and the standard error for unrelated tables.

    The estimate for tables A and B is (mean of a_i · b_i - mean of a_i · b_j, i ≠ j) / (d σ²), for
    their rows and a start of normal numbers with standard deviation σ. Long tables, tuned for many
    steps, drown it: the error is |A| |B| / (n d σ²) / √(n d).

        tables      [table, prompt, d_model], without rows that are never read
        deviation   σ
        returns     estimates and errors, each [table, table]
    """
    tables = tables.double()
    n_prompt, d_model = tables.shape[1:]
    unit = d_model * deviation**2
    flat, sums = tables.flatten(1), tables.sum(dim=1)  # [table, prompt * d_model], [table, d_model]
    same = flat @ flat.T  # [table, table]: sum over i
    every = sums @ sums.T  # [table, table]: sum over i and j
    other = (every - same) / (n_prompt * (n_prompt - 1))
    norms = flat.norm(dim=1)  # [table]
    error = norms[:, None] * norms[None] / (n_prompt * unit) / flat.shape[1] ** 0.5
    return (same / n_prompt - other) / unit, error


def with_starts(
    frame: "DataFrame", prompts: "Sequence[SoftPrompt]", deviation: float
) -> "DataFrame":
    """`similarities(prompts)` with columns `start_in_common` and `start_error`."""
    from mvp_skill.soft_prompts import used_rows

    tables = torch.stack([used_rows(prompt) for prompt in prompts])
    common, error = start_in_common(tables, deviation)  # [table, table] each
    places = {prompt.facts.name: place for place, prompt in enumerate(prompts)}
    i, j = (frame[side].map(places).tolist() for side in ("first", "second"))
    return frame.assign(start_in_common=common[i, j].numpy(), start_error=error[i, j].numpy())
