"""A frozen RoBERTa encoder behind a soft prompt, with a backward pass to the prompt alone."""

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
    """What the backward pass of a layer needs; [row, …] with the rows of its second half."""

    attended: Attended
    after_attention: Tensor
    """What the first layer norm reads, [row, d_model]."""
    first_norm: tuple[Tensor, Tensor]
    """Its mean and reciprocal standard deviation."""
    neurons: Tensor
    """Before their activation, [row, neuron]."""
    after_neurons: Tensor
    """What the second layer norm reads, [row, d_model]."""
    second_norm: tuple[Tensor, Tensor]


def can_read(encoder: nn.Module) -> bool:
    """Whether `first_state` computes what this RoBERTa does in training."""
    config = encoder.config
    plain = is_plain(config, DROPOUTS["roberta"], encoder.device)
    return plain and config.hidden_act == "gelu" and config.position_embedding_type == "absolute"


def first_state(encoder: nn.Module, prompt: Tensor, text: Tensor, attention: Tensor) -> Tensor:
    """The last layer's state at position 0, [batch, d_model]; only `prompt` gets gradients.

    encoder     a RobertaModel for which `can_read` holds
    prompt      what the embedding block gives for the prompt, [batch, prompt, d_model]
    text        the same for what follows, [batch, token, d_model]
    attention   1 for positions that are read, 0 for padding, [batch, position]
    """
    return _FirstState.apply(prompt, text, attention, encoder)


class _FirstState(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, prompt: Tensor, text: Tensor, attention: Tensor, encoder: Any) -> Tensor:
        states = torch.cat([prompt, text], dim=1)
        ctx.shape, ctx.layers = prompt.shape, encoder.encoder.layer
        bias = (1 - attention[:, None, None].float()) * torch.finfo(torch.float32).min
        states, ctx.kept = states.flatten(0, 1), []
        for layer in ctx.layers:
            states, kept = _forward(layer, states, bias, layer is ctx.layers[-1])
            ctx.kept.append(kept)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        n_rows, n_prompt = ctx.shape[:2]
        for number in range(len(ctx.layers))[::-1]:
            first = n_prompt if number == 0 else None
            gradient = _backward(ctx.layers[number], gradient, ctx.kept[number], n_rows, first)
        ctx.kept = []
        return gradient.view(ctx.shape), None, None, None


def _forward(layer: Any, states: Tensor, bias: Tensor, is_last: bool) -> tuple[Tensor, Kept]:
    """States [batch * position, d_model] after a layer; after the last one [batch, d_model]."""
    own, output, n_rows = layer.attention.self, layer.attention.output, len(bias)
    parts = (own.query, own.key, own.value)
    weight = torch.cat([part.weight for part in parts])  # [3 * d_model, d_model]
    projected = F.linear(states, weight, torch.cat([part.bias for part in parts]))
    read, attended = attend(projected, n_rows, own.num_attention_heads, bias, scaled=True)
    read = read.transpose(1, 2)  # [batch, position, head, d_head]
    if is_last:  # nobody reads its other positions
        read, states = read[:, :1], states.view(n_rows, -1, states.shape[1])[:, 0]
    read = read.reshape(len(states), -1)
    summed = F.linear(read, output.dense.weight, output.dense.bias).add_(states)
    normed, *first_norm = _normed(summed, output.LayerNorm)
    neurons = F.linear(normed, layer.intermediate.dense.weight, layer.intermediate.dense.bias)
    written = F.linear(F.gelu(neurons), layer.output.dense.weight, layer.output.dense.bias)
    written.add_(normed)
    states, *second_norm = _normed(written, layer.output.LayerNorm)
    return states, Kept(attended, summed, (*first_norm,), neurons, written, (*second_norm,))


def _backward(layer: Any, gradient: Tensor, kept: Kept, n_rows: int, first: int | None) -> Tensor:
    """Gradient of what the layer reads, [batch * position, d_model].

    first   positions whose gradient is wanted, from the left; None for all
    """
    own, output = layer.attention.self, layer.attention.output
    gradient = _norm_backward(
        gradient, kept.after_neurons, kept.second_norm, layer.output.LayerNorm
    )
    of_neurons = torch.ops.aten.gelu_backward(gradient @ layer.output.dense.weight, kept.neurons)
    gradient = gradient + of_neurons @ layer.intermediate.dense.weight
    gradient = _norm_backward(gradient, kept.after_attention, kept.first_norm, output.LayerNorm)
    of_read = gradient @ output.dense.weight
    length = kept.attended.shares.shape[1]
    if len(gradient) == n_rows:  # the last layer
        of_read, gradient = _at_first(of_read, length), _at_first(gradient, length)
    of_read = split_heads(of_read, n_rows, own.num_attention_heads)
    if first is not None:
        gradient = first_rows(gradient, n_rows, first)
    parts = attend_backward(of_read, kept.attended)
    for part, linear in zip(parts, (own.value, own.key, own.query), strict=True):
        gradient = gradient + join_heads(part, n_rows, first) @ linear.weight
    return gradient


def _at_first(states: Tensor, length: int) -> Tensor:
    """[batch, d_model] -> [batch * position, d_model], 0 but for position 0."""
    padded = states.new_zeros(len(states), length, states.shape[1])
    padded[:, 0] = states
    return padded.flatten(0, 1)


def _normed(states: Tensor, norm: nn.LayerNorm) -> tuple[Tensor, Tensor, Tensor]:
    shape = norm.normalized_shape
    return torch.native_layer_norm(states, shape, norm.weight, norm.bias, norm.eps)


def _norm_backward(
    gradient: Tensor, states: Tensor, moments: tuple[Tensor, Tensor], norm: nn.LayerNorm
) -> Tensor:
    given = (gradient, states, norm.normalized_shape, *moments, norm.weight, norm.bias)
    return torch.ops.aten.native_layer_norm_backward(*given, [True, False, False])[0]
