"""Texts to logits, for attacks, evaluation and notebooks: evaluation mode, no gradients, fp32."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.insertion import Record, Rows
from mvp_skill.token_budgets import TokenBudget

# Tokens, with padding, in one batch. It changes speed and memory, not the predictions.
EVALUATION_TOKENS = {"cpu": 4_096, "cuda": 131_072}


def predict(
    victim: nn.Module,
    texts: Sequence[str] | Sequence[tuple[str, str]],
    budget: TokenBudget | None = None,
) -> Tensor:
    """Logits of texts, [batch, class], fp32 on the CPU; the order is that of the texts.

    Always in evaluation mode and without gradients, whatever mode the victim is in (it is left as
    it was): the answer depends on the texts alone. Equal texts are computed once.

        budget   tokens of a batch; EVALUATION_TOKENS if None
        raises   BadInput if a text is not what the task has
    """
    examples = victim.insertion.checked(texts)
    unique = {example: index for index, example in enumerate(dict.fromkeys(examples))}
    logits = predict_records(victim, victim.encode(list(unique)), budget)
    return logits[[unique[example] for example in examples]]  # [batch, class]


def predict_records(
    victim: nn.Module, records: Sequence[Record], budget: TokenBudget | None = None
) -> Tensor:
    """Logits of encoded texts, [batch, class], fp32 on the CPU."""
    if not records:
        return torch.zeros(0, len(victim.settings.label_names))
    return in_batches(victim, records, victim.logits, budget)


def in_batches(
    victim: nn.Module,
    records: Sequence[Record],
    compute: Callable[[Rows], Tensor],
    budget: TokenBudget | None = None,
) -> Tensor:
    """What `compute` (of the victim) makes of each record, in their order, fp32 on the CPU.

    In evaluation mode and without gradients, in batches of similar lengths.

        records   at least one
        compute   rows of several records -> [batch, ...]
        budget    tokens of a batch; EVALUATION_TOKENS if None
        returns   [batch, ...]
    """
    device = next(victim.parameters()).device
    budget = budget or usual_budget(device)
    batches, parts = [], []

    def computed(some: Sequence[Record]) -> Tensor:
        rows = victim.collate(some)
        with budget.timed(rows.input_ids.numel(), device):
            return compute(rows.to(device)).float()

    with evaluation_mode(victim), torch.inference_mode():
        for batch in victim.insertion.batches(records, budget):
            parts += budget.in_halves(computed, [records[index] for index in batch])
            batches.append(batch)
        whole = torch.cat(parts).cpu()
    place = np.argsort(np.concatenate(batches))
    return whole[place]  # [batch, ...]; a copy, which unlike `whole` may meet autograd again


def usual_budget(device: torch.device) -> TokenBudget:
    """Of passes that nobody waits for: the same in every process."""
    return TokenBudget((EVALUATION_TOKENS.get(device.type, 4_096),))


@contextmanager
def evaluation_mode(victim: Callable) -> Iterator[None]:
    """Evaluation mode inside the block, the former mode of each module after it.

    A victim that is a plain function has no modes and is left alone.
    """
    modules = list(victim.modules()) if isinstance(victim, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
