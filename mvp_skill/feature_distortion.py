"""How far tuning turns the states that a victim reads.

    before, after = read_states(start, texts), read_states(tuned, texts)
    mean_cosine(before, after)       # 1: as they were
    mean_cosine_of_others(before)    # what states of unrelated texts have; the scale for it

Source: the idea, that a random head distorts pretrained features, is Kumar et al. 2022.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Rows
from mvp_skill.masked_lm import layout_named, state_at
from mvp_skill.prediction import in_batches


def read_states(victim: nn.Module, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
    """The states of the encoder's last layer that a victim's head reads, without gradients.

    They are at the mask of each template, else at `<s>`, or at the last token (GPT-2).

    returns   [batch, template, hidden]; victims without templates have one
    """
    own_head = hasattr(victim, "backbone")  # MVP and CLSPrompt keep the whole language model
    encoder = getattr(victim.backbone, victim.encoder_name) if own_head else victim.encoder

    def read(rows: Rows) -> Tensor:
        states = state_at(encoder, rows, _position(victim, rows))  # [batch * template, hidden]
        return states.unflatten(0, rows.mask_position.shape)  # [batch, template, hidden]

    return in_batches(victim, victim.encode(texts), read)


def mean_cosine(before: Tensor, after: Tensor) -> float:
    """Mean cosine between the states of the same texts; both [batch, template, hidden].

    raises   BadInput if the two are not of the same texts and templates
    """
    if before.shape != after.shape:
        raise BadInput(
            f"States before and after must be of the same texts and templates, not of shapes "
            f"{tuple(before.shape)} and {tuple(after.shape)}."
        )
    return F.cosine_similarity(before, after, dim=-1).mean().item()


def mean_cosine_of_others(states: Tensor) -> float:
    """Mean cosine between the states of two different texts in the same template.

    states   [batch, template, hidden]
    raises   BadInput if there is only one text
    """
    n = len(states)
    if n < 2:
        raise BadInput("Cosines between different texts need at least two texts.")
    units = F.normalize(states, dim=-1)  # [batch, template, hidden]
    # |sum of n unit vectors|^2 holds every pair of two, and n ones of each with itself.
    every = units.sum(dim=0).square().sum(dim=-1)  # [template]
    return ((every - n) / (n * (n - 1))).mean().item()


def _position(victim: nn.Module, rows: Rows) -> Tensor:
    """Where the victim reads, [batch * template]."""
    if victim.settings.templates:
        return rows.mask_position.flatten()
    causal = layout_named(victim.config.model_type).kind == "causal_lm"
    return rows.last_position if causal else rows.first_position
