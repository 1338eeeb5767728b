"""Many selections of neurons that are suppressed one after the other, on the same texts.

    right = each_suppressed_right(prompted, split, [one.neurons for one in selections(...)])

The same as `suppression` around each pass, to the last bit, but texts are put into batches once,
and what lies before the first neuron that any selection changes is computed once for each batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.evaluation import Split
from mvp_skill.hooks import remembered
from mvp_skill.insertion import Record
from mvp_skill.prediction import evaluation_mode, usual_budget
from mvp_skill.suppression import replaced, replacement_of


def each_suppressed_right(
    prompted: nn.Module, split: Split, selections: Sequence[Tensor], **options: Any
) -> Tensor:
    """Whether each example is right while each selection is suppressed, bool [selection, batch].

    options   as of `each_suppressed_logits`
    """
    logits = each_suppressed_logits(prompted, split.records, selections, **options)
    return logits.argmax(dim=-1) == split.labels


def each_suppressed_logits(
    prompted: nn.Module,
    records: Sequence[Record],
    selections: Sequence[Tensor],
    how: str = "zero",
    positions: str = "all",
    **options: Any,
) -> Tensor:
    """Logits of encoded texts while each selection is suppressed.

    In the batches of `prediction.predict_records`. Random ways draw for each selection the same as
    `suppression` with that selection alone.

        records      one or more
        selections   bool [layer, neuron] each, one or more
        options      `baseline_activation`, `sd` and `seed` of `suppression`
        returns      [selection, batch, class], fp32 on the CPU
        raises       BadInput as `suppression` does
    """
    ways = [replacement_of(how, positions, **options) for _ in selections]
    device = next(prompted.parameters()).device
    batches = prompted.insertion.batches(records, usual_budget(device))
    parts = []
    with evaluation_mode(prompted), torch.inference_mode():
        for batch in batches:
            rows, found = prompted.collate([records[number] for number in batch]).to(device), []
            with unchanged_once(prompted, selections):
                for neurons, way in zip(selections, ways, strict=True):
                    with replaced(prompted, neurons, positions, way):
                        found.append(prompted.label_logits(rows).float())
            parts.append(torch.stack(found).cpu())  # [selection, batch, class]
    return torch.cat(parts, dim=1)[:, np.argsort(np.concatenate(batches))]


@contextmanager
def unchanged_once(prompted: nn.Module, selections: Sequence[Tensor]) -> Iterator[None]:
    """Inside the block, for one batch, what no selection changes is computed in the first pass.

    selections   of neurons whose activations are replaced, bool [layer, neuron] each
    """
    changed = torch.stack([one.any(dim=1).cpu() for one in selections]).any(dim=0)  # [layer]
    lowest = int(changed.nonzero()[0]) if changed.any() else len(changed) - 1
    with ExitStack() as stack:
        for module in prompted.up_to_neurons(lowest):
            stack.enter_context(remembered(module))
        yield
