"""Adversarial texts, read with the neurons in the state that their clean originals put them in.

    logits = patched_logits(prompted, adversarial.records, clean.records, skill)

Ours: a causal test of the conclusion of Ackermann and Ohmer 2023, that a model is robust if it
activates the right skill neurons.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.activations import kept_activations
from mvp_skill.batching import evaluation_batches
from mvp_skill.errors import BadInput
from mvp_skill.prediction import EVALUATION_TOKENS, evaluation_mode
from mvp_skill.suppression import patching
from mvp_skill.suppression_sweeps import unchanged_once


def patched_logits(
    prompted: nn.Module, records: Sequence, clean_records: Sequence, neurons: Tensor
) -> Tensor:
    """Logits of records whose selected neurons have, at the prompt, the partner's activations.

    Two forward passes per pair. With the records as their own partners nothing changes.

        records, clean_records   encoded texts; those of the same number are partners
        neurons                  bool [layer, neuron]
        returns                  [batch, class], fp32 on the CPU
        raises                   BadInput unless every record has a partner
    """
    return each_patched_logits(prompted, records, clean_records, [neurons])[0]


def each_patched_logits(
    prompted: nn.Module, records: Sequence, clean_records: Sequence, selections: Iterable[Tensor]
) -> Tensor:
    """The same for several selections of neurons, [selection, batch, class].

    The partners are read once, whatever the number of selections.
    """
    if len(records) != len(clean_records):
        raise BadInput(
            f"{len(records)} records and {len(clean_records)} clean ones are no pairs; give the "
            "clean original of each record."
        )
    device, selections = next(prompted.parameters()).device, list(selections)

    def rows(of: Sequence, batch: np.ndarray):
        return prompted.collate([of[number] for number in batch]).to(device)

    parts, batches = [], _batches(prompted, records, clean_records, device)
    with evaluation_mode(prompted), torch.inference_mode():
        for batch in batches:
            clean, found = kept_activations(prompted, rows(clean_records, batch)), []
            read = rows(records, batch)
            with unchanged_once(prompted, selections):
                for neurons in selections:
                    with patching(prompted, neurons, clean):
                        found.append(prompted.logits(read).float().cpu())
            parts.append(torch.stack(found))  # [selection, batch, class]
        logits = torch.cat(parts, dim=1)
    return logits[:, np.argsort(np.concatenate(batches))]  # [selection, batch, class]


def _batches(
    prompted: nn.Module, records: Sequence, partners: Sequence, device: torch.device
) -> list[np.ndarray]:
    """Smaller ones than usual, because the activations of all layers are kept for a moment."""
    n_prompt = prompted.settings.n_prompt
    lengths = [
        n_prompt + max(record.length, partner.length)
        for record, partner in zip(records, partners, strict=True)
    ]
    return evaluation_batches(lengths, EVALUATION_TOKENS.get(device.type, 4_096) // 4)
