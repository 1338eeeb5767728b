"""The neurons that a soft prompt activates by itself, before any text.

activations = label_activations(prompted, tables)     # [table, layer, neuron]
activated_overlap(activations)["all layers"]          # [table, table]

Source: Su et al. 2022, whose code feeds the prompt and one start token only, and looks at the
position where the class is read: RoBERTa's mask, T5's first decoder position.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mvp_skill.prediction import evaluation_mode

LABEL_POSITION = 0
"""Of RoBERTa's mask in the sequence, and of T5's only position in the decoder."""


def label_activations(prompted: nn.Module, tables: Tensor) -> Tensor:
    """FFN activations where the class is read, with each table as the soft prompt.

    The model reads the prompt and the first token of an empty text, and nothing behind it: RoBERTa
    the start token, T5 the end token.

        tables    [table, prompt, d_model]
        returns   after the non-linearity, fp32 on the CPU, [table, layer, neuron]. Of T5 these are
                  the decoder's neurons, as in Su et al.
    """
    modules = getattr(prompted, "decoder_ffn", None) or prompted.ffn
    rows = _prompt_and_start(prompted)
    found = []
    with evaluation_mode(prompted), torch.inference_mode():
        for table in tables:
            with soft_prompt(prompted, table), _inputs_of(modules) as inputs:
                prompted.logits(rows)
            at_label = [inputs[module][0, LABEL_POSITION] for module in modules]  # [neuron] each
            found.append(torch.stack(at_label).float().cpu())  # [layer, neuron]
    return torch.stack(found)


@contextmanager
def soft_prompt(prompted: nn.Module, table: Tensor) -> Iterator[None]:
    """Inside the block the model has another soft prompt, [prompt, d_model]; its own after it."""
    own = prompted.soft_prompt.detach().clone()
    try:
        with torch.no_grad():
            prompted.soft_prompt.copy_(table)
        yield
    finally:
        with torch.no_grad():
            prompted.soft_prompt.copy_(own)


def _prompt_and_start(prompted: nn.Module) -> Any:
    """One row of an empty text, in which only the prompt and the first token are attended to."""
    from mvp_skill.tasks import task_named

    empty = ("",) * len(task_named(prompted.settings.task).columns)
    rows = prompted.collate(prompted.encode([empty])).to(prompted.soft_prompt.device)
    rows.attention_mask[:, prompted.settings.n_prompt + 1 :] = 0
    return rows


@contextmanager
def _inputs_of(modules: Any) -> Iterator[dict[nn.Module, Tensor]]:
    """What goes into each module inside the block: of the output projection, the activations."""
    inputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs[module] = given[0]

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(keep).remove)
        yield inputs
