"""Self-attention of a frozen encoder behind a soft prompt, forwards and backwards by hand.

Prompt tuning needs the gradients of `n_prompt` vectors and of nothing else. Autograd computes those
of all vectors that the first layer reads, of the text's as of the prompt's. `frozen_roberta` and
`frozen_t5` go backwards by hand and leave the text out there; and as no weight has a gradient, each
layer keeps no more than is written down here. They add up in the order in which autograd does, so
that the gradients are the same numbers.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Attended(NamedTuple):
    """What the backward pass of one layer's attention needs; [batch * head, position, …]."""

    queries: Tensor
    keys: Tensor
    values: Tensor
    shares: Tensor
    """[batch * head, position, position]: how much of each position is read; rows add up to 1"""
    scale: float | None


def attend(
    projected: Tensor, n_rows: int, n_heads: int, bias: Tensor, *, scaled: bool
) -> tuple[Tensor, Attended]:
    """Read the values of all positions, each position for itself.

    projected   queries, keys and values side by side, [batch * position, 3 * head * d_head]
    n_rows      batch
    bias        added to the scores, [batch, head or 1, position, position or 1]
    scaled      whether scores are divided by sqrt(d_head) (RoBERTa; T5 does not)
    returns     [batch, head, position, d_head], and what `attend_backward` needs
    """
    length, d_head = len(projected) // n_rows, projected.shape[1] // (3 * n_heads)
    apart = projected.view(n_rows, length, 3, n_heads, d_head).permute(2, 0, 3, 1, 4)
    queries, keys, values = apart.reshape(3, n_rows * n_heads, length, d_head).unbind(0)
    scores = torch.bmm(queries, keys.transpose(1, 2))  # [batch * head, position, position]
    scale = math.sqrt(d_head) if scaled else None
    if scale is not None:
        scores.div_(scale)
    scores.view(n_rows, n_heads, length, length).add_(bias)
    shares = scores.softmax(dim=-1)
    read = torch.bmm(shares, values).view(n_rows, n_heads, length, d_head)
    return read, Attended(queries, keys, values, shares, scale)


def attend_backward(gradient: Tensor, kept: Attended) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of values, keys and queries, each [batch * head, position, d_head].

    gradient   of what was read, [batch * head, position, d_head]
    """
    of_values = torch.bmm(kept.shares.transpose(1, 2), gradient)
    of_shares = torch.bmm(gradient, kept.values.transpose(1, 2))
    of_scores = torch._softmax_backward_data(of_shares, kept.shares, -1, torch.float32)
    if kept.scale is not None:
        of_scores = of_scores / kept.scale
    of_queries = torch.bmm(of_scores, kept.keys)
    of_keys = torch.bmm(of_scores.transpose(1, 2), kept.queries)
    return of_values, of_keys, of_queries


def split_heads(states: Tensor, n_rows: int, n_heads: int) -> Tensor:
    """[batch * position, head * d_head] -> [batch * head, position, d_head]."""
    length, d_head = len(states) // n_rows, states.shape[1] // n_heads
    apart = states.view(n_rows, length, n_heads, d_head).transpose(1, 2)
    return apart.reshape(n_rows * n_heads, length, d_head)


def join_heads(states: Tensor, n_rows: int, first: int | None = None) -> Tensor:
    """[batch * head, position, d_head] -> [batch * position, head * d_head].

    first   positions that are kept, from the left; None for all
    """
    n_heads = len(states) // n_rows
    apart = states.view(n_rows, n_heads, *states.shape[1:])[:, :, :first].transpose(1, 2)
    return apart.reshape(n_rows * apart.shape[1], -1)


def first_rows(states: Tensor, n_rows: int, first: int) -> Tensor:
    """[batch * position, …] -> [batch * first, …], the first positions of each row."""
    return states.view(n_rows, -1, states.shape[-1])[:, :first].reshape(n_rows * first, -1)


def is_plain(config: Any, dropouts: tuple[str, ...], device: torch.device) -> bool:
    """Whether an encoder computes in training what is written here: no noise, no bfloat16.

    config     of the backbone
    dropouts   names of its settings that are probabilities
    """
    is_eager = getattr(config, "_attn_implementation", None) == "eager"
    without_noise = all(getattr(config, name) == 0 for name in dropouts)
    return is_eager and without_noise and not torch.is_autocast_enabled(device.type)
