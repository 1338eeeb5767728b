"""Prompt-tuned models some of whose neurons are silenced, blurred, or put in another state.

    with suppression(prompted, skill):                             # activations set to 0
        clean_accuracy(prompted, split)
    with suppression(prompted, skill, "gaussian", sd=0.1, seed=0):
        ...
    with patching(prompted, skill, clean.mean):                    # a causal test
        prompted(adversarial_texts)

Neurons are `bool [layer, neuron]`, for T5 of the encoder. Activations are replaced, never written
over, and everything is as before when the block ends. No neurons is no change, to the last bit.

Source: Wang et al. 2022 (Gaussian noise, mean, zero); Ackermann and Ohmer 2023 (zero, in all layers
and at all positions at once). Resampling and patching are ours.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from mvp_skill.checks import check_choice, check_number
from mvp_skill.errors import BadInput
from mvp_skill.hooks import edit_input
from mvp_skill.seeding import derived_seed

Replacement = Callable[[int, Tensor], Tensor]
"""(layer, activation [batch, position, neuron]) -> what selected neurons have in its place."""

POSITIONS: dict[str, Callable[[int], slice]] = {
    "all": lambda n_prompt: slice(None),
    "prompt": lambda n_prompt: slice(n_prompt),
    "text": lambda n_prompt: slice(n_prompt, None),
}
"""Where activations are replaced; padding belongs to the text."""


@contextmanager
def suppression(
    prompted: nn.Module,
    neurons: Tensor,
    how: str = "zero",
    positions: str = "all",
    *,
    baseline_activation: Tensor | None = None,
    sd: float | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """Inside the block, selected neurons of all layers at once do not say what they would.

        neurons     bool [layer, neuron]
        how         "zero"      the activation is 0
                    "mean"      it is the neuron's baseline activation, averaged over prompt
                                positions, whatever the input
                    "gaussian"  N(0, sd^2) is added, drawn for each example and neuron, the same at
                                all positions
                    "resample"  it is that of another example of the batch (for a batch of one: of
                                the batch before), at the same prompt position; the same example for
                                all layers and neurons
        positions   "all", "prompt" or "text"; only "prompt" for "resample"
        baseline_activation   of "mean": [layer, prompt, neuron]
        sd          of "gaussian"; Wang et al. use 0.1
        seed        of "gaussian" and "resample": the same calls inside the block draw the same. The
                    noise of a neuron does not depend on which others are selected
        raises      BadInput for anything else

    Zero is near what most ReLU neurons (T5) have anyway, and further from what GELU neurons have.
    """
    given = {"baseline_activation": baseline_activation, "sd": sd, "seed": seed}
    with replaced(prompted, neurons, positions, replacement_of(how, positions, **given)):
        yield


def replacement_of(
    how: str,
    positions: str,
    baseline_activation: Tensor | None = None,
    sd: float | None = None,
    seed: int = 0,
) -> Replacement:
    """What suppressed neurons have in the place of their activations; all as in `suppression`."""
    check_choice("way to suppress", how, tuple(_WAYS))
    if sd is not None:
        check_number("sd", sd, "above 0", 0, math.inf)
    if ((baseline_activation is not None), (sd is not None)) != (how == "mean", how == "gaussian"):
        raise BadInput(
            'A baseline activation goes with "mean", an sd with "gaussian", and neither with '
            f'"zero" or "resample"; this is {how!r}.'
        )
    if how == "resample" and positions != "prompt":
        raise BadInput(
            f'"resample" needs positions="prompt", not {positions!r}: other positions are other '
            "words in every example."
        )
    return _WAYS[how](baseline_activation, sd, seed)


@contextmanager
def patching(prompted: nn.Module, neurons: Tensor, activation: Tensor) -> Iterator[None]:
    """Inside the block, selected neurons have given activations at the prompt positions.

    If clean activations of skill neurons, put into runs on adversarial texts, bring accuracy back,
    then these neurons are a cause of its loss, not only a sign.

        neurons      bool [layer, neuron]
        activation   [layer, prompt, neuron], the same for every example, such as a clean mean; or
                     [layer, batch, prompt, neuron], for the examples of the batch in its order
                     (`mvp_skill.patched_pairs` does so for any number of pairs)
        raises       BadInput for neurons or activations of other shapes
    """

    def given(layer: int, there: Tensor) -> Tensor:
        put = activation[layer].to(there)  # [prompt, neuron] or [batch, prompt, neuron]
        if put.shape not in (there.shape, there.shape[1:]):
            raise BadInput(
                f"An activation of shape {tuple(put.shape)} cannot be put in the place of one of "
                f"{tuple(there.shape)}, [batch, prompt, neuron]; take it from the same model, for "
                "the same examples."
            )
        return put

    with replaced(prompted, neurons, "prompt", given):
        yield


@contextmanager
def replaced(
    prompted: nn.Module, neurons: Tensor, positions: str, replacement: Replacement
) -> Iterator[None]:
    """Inside the block, selected neurons have the activations that `replacement` gives.

    raises   BadInput for unknown positions, or neurons that are not bool [layer, neuron]
    """
    check_choice("positions", positions, tuple(POSITIONS))
    _check_neurons(prompted, neurons)
    where = POSITIONS[positions](prompted.settings.n_prompt)
    with ExitStack() as stack:
        for layer in neurons.any(dim=1).nonzero()[:, 0].tolist():
            module = prompted.ffn[layer]
            selected = neurons[layer].to(module.weight.device)
            change = partial(_changed, where, selected, partial(replacement, layer))
            stack.enter_context(edit_input(module, change))
        yield


def _changed(
    where: slice, selected: Tensor, replacement: Callable[[Tensor], Tensor], activation: Tensor
) -> Tensor:
    """Another tensor [batch, position, neuron]; outside `where` and `selected` it is the same."""
    there = activation[:, where]
    changed = torch.where(selected, replacement(there).to(there.dtype), there)
    start, stop, _ = where.indices(activation.shape[1])
    if stop - start == activation.shape[1]:
        return changed  # nothing beside it to put together
    return torch.cat([activation[:, :start], changed, activation[:, stop:]], dim=1)


def _check_neurons(prompted: nn.Module, neurons: Tensor) -> None:
    shape = len(prompted.ffn), prompted.ffn[0].weight.shape[1]  # [hidden, neuron]
    if neurons.dtype != torch.bool or neurons.shape != shape:
        raise BadInput(
            f"Neurons of this model are a bool tensor of shape {shape}, [layer, neuron], not "
            f"{neurons.dtype} of {tuple(neurons.shape)}."
        )


def _zero(layer: int, there: Tensor) -> Tensor:
    return there.new_zeros(there.shape[-1])  # a single 0 would take three times as long


def _mean(baseline_activation: Tensor) -> Replacement:
    mean = baseline_activation.mean(dim=1)  # [layer, neuron]
    return lambda layer, there: mean[layer].to(there)


def _gaussian(sd: float, seed: int) -> Replacement:
    generators: dict[int, torch.Generator] = {}

    def noisy(layer: int, there: Tensor) -> Tensor:
        of_layer = derived_seed(seed, "Gaussian noise", layer)
        generator = generators.setdefault(layer, torch.Generator().manual_seed(of_layer))
        noise = torch.randn(len(there), 1, there.shape[2], generator=generator)
        return there + sd * noise.to(there)

    return noisy


def _resample(seed: int) -> Replacement:
    generators: dict[int, torch.Generator] = {}
    before: dict[int, Tensor] = {}

    def of_another(layer: int, there: Tensor) -> Tensor:
        # Equal seeds: in every layer the same examples lend their activations.
        equal = torch.Generator().manual_seed(derived_seed(seed, "other example"))
        generator = generators.setdefault(layer, equal)
        if len(there) == 1 and layer not in before:
            raise BadInput(
                "The first batch has a single text, so there is no other to resample from; "
                "evaluate several texts at once."
            )
        order = torch.randperm(len(there), generator=generator)
        lender = torch.empty_like(order).scatter(0, order, order.roll(1))  # one cycle: never itself
        lent = before[layer] if len(there) == 1 else there[lender.to(there.device)]
        before[layer] = there[-1:].clone()
        return lent

    return of_another


_WAYS: dict[str, Callable[[Tensor | None, float | None, int], Replacement]] = {
    "zero": lambda mean, sd, seed: _zero,
    "mean": lambda mean, sd, seed: _mean(mean),
    "gaussian": lambda mean, sd, seed: _gaussian(sd, seed),
    "resample": lambda mean, sd, seed: _resample(seed),
}
