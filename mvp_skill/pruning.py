"""Smaller models: most neurons are taken out, and what they say on average is kept in a bias.

    kept = in_layers_from(skill_neurons(pred, 0.02), first_pruned_layer(n_layers))
    smaller = pruned(prompted, kept, usual.mean)      # a model of its own; `prompted` stays
    remaining_share(smaller, prompted)                # 0.666 for RoBERTa-base

A neuron that always has its mean activation says nothing about the text: it adds the same vector to
the output of its layer. So that vector can be added to the bias, and the neuron's weights are not
needed any more:

    W[:, kept] a[kept]  +  (bias + W[:, removed] mean[removed])

Source: Wang et al. 2022, section 6.1 (layers 4 to 12 of 12, 2 % of the neurons kept). Their code
folds the mean of *all* neurons into the bias, so kept ones count twice; here those removed.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.other_tuning import own_copy
from mvp_skill.prompted import Prompted

KEPT = 0.02
"""The fraction of neurons per layer that Wang et al. keep: 61 of RoBERTa-base's 3,072."""


def first_pruned_layer(n_layers: int) -> int:
    """Number (from 0) of the first layer to prune: the first quarter of the layers stays whole.

    Of 12 layers the first three, as in the paper. Rounded down: of fewer than four, none.
    """
    return n_layers // 4


def in_layers_from(selected: Tensor, first_layer: int) -> Tensor:
    """The selected neurons of the layers from one on, and all neurons of those before.

    selected      bool [layer, neuron]
    first_layer   from 0, as `first_pruned_layer` gives it
    returns       bool [layer, neuron]
    """
    return selected | (torch.arange(len(selected), device=selected.device) < first_layer)[:, None]


def pruned(prompted: Prompted, kept: Tensor, baseline_activation: Tensor) -> Prompted:
    """A model of its own without the other neurons, their mean activation in the biases.

    It computes what `prompted` does when the removed neurons have their mean activation at every
    position (`suppression(prompted, ~kept, "mean", ...)`), with smaller matrices. Where an output
    projection has no bias (T5), it gets one. Soft prompt and text format are the same; the soft
    prompt is all that trains.

        kept                  bool [layer, neuron]; for T5 of the encoder
        baseline_activation   [layer, prompt, neuron]; its mean over prompt positions is folded
        raises                BadInput for neurons or activations of another shape, or a model that
                              was pruned before
    """
    _check(prompted, kept, baseline_activation)
    smaller = own_copy(prompted)
    smaller.settings = replace(prompted.settings, method="pruned")
    mean = baseline_activation.mean(dim=1)  # [layer, neuron]
    layers = zip(ffn_inputs(smaller), smaller.ffn, kept.to(mean.device), mean, strict=True)
    with torch.no_grad():
        for into, out, of_layer, usual in layers:
            if of_layer.all():
                continue
            for linear in into:
                _keep_rows(linear, of_layer)
            _keep_columns(out, of_layer, usual)
    return smaller


def ffn_inputs(prompted: Prompted) -> list[list[nn.Linear]]:
    """Of each layer the projections to the neurons; two in the gated T5, which multiplies them."""
    if prompted.config.model_type == "roberta":
        return [[layer.intermediate.dense] for layer in prompted.backbone.roberta.encoder.layer]
    networks = [block.layer[-1].DenseReluDense for block in prompted.backbone.encoder.block]
    names = ("wi", "wi_0", "wi_1")
    return [[getattr(ffn, name) for name in names if hasattr(ffn, name)] for ffn in networks]


def folded_bias(weight: Tensor, bias: Tensor | None, mean: Tensor, removed: Tensor) -> Tensor:
    """The bias of an output projection with what the removed neurons say on average, [d_model].

    weight    [d_model, neuron]
    bias      [d_model], None for a projection without one
    mean      activation, [neuron]
    removed   bool [neuron]
    """
    said = weight @ mean.where(removed, 0).to(weight)  # [d_model]
    return said if bias is None else bias + said


def n_parameters(prompted: nn.Module) -> int:
    """Numbers in the language model, tied ones once; the soft prompt is not counted."""
    return sum(weights.numel() for weights in prompted.backbone.parameters())


def remaining_share(smaller: nn.Module, whole: nn.Module) -> float:
    """Which share of a model's parameters another one has."""
    return n_parameters(smaller) / n_parameters(whole)


def _keep_rows(linear: nn.Linear, kept: Tensor) -> None:
    rows = kept.nonzero()[:, 0]
    linear.weight = _frozen(linear.weight[rows])  # [neuron, d_model]
    if linear.bias is not None:
        linear.bias = _frozen(linear.bias[rows])
    linear.out_features = len(rows)


def _keep_columns(linear: nn.Linear, kept: Tensor, mean: Tensor) -> None:
    linear.bias = _frozen(folded_bias(linear.weight, linear.bias, mean, ~kept))
    columns = kept.nonzero()[:, 0]
    linear.weight = _frozen(linear.weight[:, columns].contiguous())  # [d_model, neuron]
    linear.in_features = len(columns)


def _frozen(weights: Tensor) -> nn.Parameter:
    return nn.Parameter(weights, requires_grad=False)


def _check(prompted: Prompted, kept: Tensor, baseline_activation: Tensor) -> None:
    widths = [out.weight.shape[1] for out in prompted.ffn]  # [layer]
    fits = (
        kept.dtype == torch.bool
        and kept.ndim == 2
        and list(kept.shape)
        == [
            len(widths),
            *set(widths),
        ]
    )
    usual = baseline_activation.shape
    if not fits or len(usual) != 3 or (usual[0], usual[2]) != tuple(kept.shape):
        raise BadInput(
            f"A model with {widths} neurons in its layers is pruned once, by a bool tensor [layer, "
            f"neuron] and a baseline activation [layer, prompt, neuron] of that size, not by "
            f"{kept.dtype} {tuple(kept.shape)} and {tuple(usual)}; take both from this model."
        )
