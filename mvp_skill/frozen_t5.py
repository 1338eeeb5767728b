"""A frozen T5 encoder behind a soft prompt, with a backward pass to the prompt alone."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.backbones import DROPOUTS
from mvp_skill.frozen_attention import (
    Attended,
    attend,
    attend_backward,
    first_rows,
    is_plain,
    join_heads,
    split_heads,
)


class Kept(NamedTuple):
    """What the backward pass of a block needs; all but the first are [batch * position, …]."""

    attended: Attended
    before: Tensor
    """What the block reads, [.., d_model]."""
    first_norm: Tensor
    """1 / root mean square of it, [.., 1]."""
    after_attention: Tensor
    second_norm: Tensor
    neurons: Tensor
    """After their activation, [.., neuron]."""


def can_read(encoder: nn.Module) -> bool:
    """Whether `last_states` computes what this encoder does in training."""
    config = encoder.config
    plain = is_plain(config, DROPOUTS["t5"], encoder.device)
    return plain and config.feed_forward_proj == "relu"


def last_states(encoder: nn.Module, prompt: Tensor, text: Tensor, attention: Tensor) -> Tensor:
    """What the encoder gives out, [batch, position, d_model]; only `prompt` gets gradients.

    encoder     a T5Stack for which `can_read` holds
    prompt      [batch, prompt, d_model]
    text        embeddings of what follows, [batch, token, d_model]
    attention   1 for positions that are read, 0 for padding, [batch, position]
    """
    length = attention.shape[1]
    bias = encoder.block[0].layer[0].SelfAttention.compute_bias(length, length).detach()
    padding = (1 - attention[:, None, None].float()) * torch.finfo(torch.float32).min
    return _LastStates.apply(prompt, text, bias + padding, encoder)


class _LastStates(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, prompt: Tensor, text: Tensor, bias: Tensor, encoder: Any) -> Tensor:
        states = torch.cat([prompt, text], dim=1)
        shape, ctx.shape, ctx.encoder = states.shape, prompt.shape, encoder
        states, ctx.kept = states.flatten(0, 1), []
        for block in encoder.block:
            states, kept = _forward(block, states, bias)
            ctx.kept.append(kept)
        normed, reciprocal = _normed(states, encoder.final_layer_norm)
        ctx.last = states, reciprocal
        return normed.view(shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        n_rows, n_prompt = ctx.shape[:2]
        gradient = gradient.reshape(-1, gradient.shape[-1])
        nothing = torch.zeros_like(gradient)
        gradient = _norm_backward(gradient, *ctx.last, ctx.encoder.final_layer_norm, nothing)
        for number in range(len(ctx.kept))[::-1]:
            first = n_prompt if number == 0 else None
            block = ctx.encoder.block[number]
            gradient = _backward(block, gradient, ctx.kept[number], n_rows, first)
        ctx.kept, ctx.last = [], None
        return gradient.view(ctx.shape), None, None, None


def _forward(block: Any, states: Tensor, bias: Tensor) -> tuple[Tensor, Kept]:
    """States [batch * position, d_model] after a block."""
    own, dense, n_rows = block.layer[0].SelfAttention, block.layer[1].DenseReluDense, len(bias)
    normed, first_norm = _normed(states, block.layer[0].layer_norm)
    weight = torch.cat([own.q.weight, own.k.weight, own.v.weight])  # [3 * d_inner, d_model]
    read, attended = attend(F.linear(normed, weight), n_rows, own.n_heads, bias, scaled=False)
    read = read.transpose(1, 2).reshape(len(states), -1)  # [.., d_inner]
    summed = F.linear(read, own.o.weight).add_(states)
    normed, second_norm = _normed(summed, block.layer[1].layer_norm)
    neurons = F.linear(normed, dense.wi.weight).relu_()
    written = F.linear(neurons, dense.wo.weight).add_(summed)
    return written, Kept(attended, states, first_norm, summed, second_norm, neurons)


def _backward(block: Any, gradient: Tensor, kept: Kept, n_rows: int, first: int | None) -> Tensor:
    """Gradient of what the block reads, [batch * position, d_model].

    first   positions whose gradient is wanted, from the left; None for all
    """
    own, dense = block.layer[0].SelfAttention, block.layer[1].DenseReluDense
    of_neurons = torch.ops.aten.threshold_backward(gradient @ dense.wo.weight, kept.neurons, 0)
    second = (kept.after_attention, kept.second_norm, block.layer[1].layer_norm)
    gradient = _norm_backward(of_neurons @ dense.wi.weight, *second, gradient)
    parts = attend_backward(
        split_heads(gradient @ own.o.weight, n_rows, own.n_heads), kept.attended
    )
    wanted = (gradient, kept.before, kept.first_norm)
    if first is not None:
        wanted = tuple(first_rows(tensor, n_rows, first) for tensor in wanted)
    gradient, before, reciprocal = wanted
    linears = (own.v, own.k, own.q)
    joined = [join_heads(part, n_rows, first) for part in parts]
    of_value, of_key, of_query = (p @ w.weight for p, w in zip(joined, linears, strict=True))
    of_normed = of_value.add_(of_key).add_(of_query)
    return _norm_backward(of_normed, before, reciprocal, block.layer[0].layer_norm, gradient)


def _normed(states: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """weight * x / sqrt(mean of x^2 + epsilon), and what x was multiplied with, [.., 1]."""
    mean = states.pow(2).mean(-1, keepdim=True)
    reciprocal = torch.rsqrt(mean.add_(norm.variance_epsilon))
    return (states * reciprocal).mul_(norm.weight), reciprocal


def _norm_backward(
    gradient: Tensor, states: Tensor, reciprocal: Tensor, norm: nn.Module, onto: Tensor
) -> Tensor:
    """`onto`, the gradient that passes the block by, plus that of x; changed in place."""
    scaled = gradient * norm.weight
    of_reciprocal = (scaled * states).sum(-1, keepdim=True)
    of_mean = (-0.5 * of_reciprocal * reciprocal.pow(3)).div_(states.shape[-1])
    return onto.add_(scaled.mul_(reciprocal)).add_(of_mean * (2 * states))
