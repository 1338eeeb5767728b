"""What the neurons of a prompt-tuned model do, batch by batch; no activation is kept.

A neuron is a unit of a feed-forward network, and its activation what comes out of the
non-linearity: the *input* of the network's output projection. A function that is given looks at
that input while it is there, so memory does not grow with the number of examples.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.batching import evaluation_batches
from mvp_skill.checks import check_choice
from mvp_skill.hooks import look_at_input
from mvp_skill.prediction import EVALUATION_TOKENS, evaluation_mode

See = Callable[[int, Tensor, np.ndarray], None]
"""(layer, activation [batch, prompt, neuron], numbers of the examples [batch])

With positions "all" the second axis is as long as the batch's longest row, NaN behind shorter ones.
"""


def prompt_activation(activation: Tensor, attention_mask: Tensor, n_prompt: int) -> Tensor:
    """At each prompt position: [batch, position, neuron] -> [batch, prompt, neuron]."""
    return activation[:, :n_prompt]


def text_mean(activation: Tensor, attention_mask: Tensor, n_prompt: int) -> Tensor:
    """Mean over the text: [batch, position, neuron] -> [batch, 1, neuron]."""
    text, real = _text(activation, attention_mask, n_prompt)
    n = real.sum(dim=1, keepdim=True).clamp(min=1)  # [batch, 1, 1]
    return (text * real).sum(dim=1, keepdim=True) / n


def text_max(activation: Tensor, attention_mask: Tensor, n_prompt: int) -> Tensor:
    """Largest over the text: [batch, position, neuron] -> [batch, 1, neuron]; 0 without a text."""
    text, real = _text(activation, attention_mask, n_prompt)
    return text.masked_fill(~real, -torch.inf).amax(dim=1, keepdim=True).nan_to_num(neginf=0)


def every_position(activation: Tensor, attention_mask: Tensor, n_prompt: int) -> Tensor:
    """At each position of the row, prompt and text; NaN where it is padding.

    A position is counted from the start of the row, as those of the prompt are; rows of another
    batch may be longer. [batch, position, neuron] -> [batch, position, neuron].
    """
    _, real = _text(activation, attention_mask, n_prompt)
    prompt = real.new_ones(len(real), n_prompt, 1)
    return activation.masked_fill(~torch.cat([prompt, real], dim=1), torch.nan)


POSITIONS = {
    "prompt": prompt_activation,
    "text_mean": text_mean,
    "text_max": text_max,
    "all": every_position,
}
"""Where neurons are read. The two of the text (its special tokens belong to it, padding does not)
are a control of Wang et al. 2022: are prompts needed to find skill neurons? "all" has the papers'
formula at every position of the row, from the first on: it compares the third token of one text
with the third of another, and a text that has ended before a position does not fire there."""


def observe(prompted: nn.Module, records: Sequence, see: See, positions: str = "prompt") -> None:
    """One forward pass of each example; `see` is called with every layer's activations.

    In evaluation mode and without gradients. The pass ends where the last neurons have been seen:
    no head, and no decoder, is computed. Which examples share a batch does not depend on the order
    of the records, so sums over all of them are the same to the last bit.

        positions   one of POSITIONS
        raises      BadInput for no records, or unknown positions
    """
    check_choice("positions", positions, tuple(POSITIONS))
    read, n_prompt = POSITIONS[positions], prompted.settings.n_prompt
    last, now = len(prompted.ffn) - 1, {}

    def look(layer: int, activation: Tensor) -> None:
        see(layer, read(activation, now["rows"].attention_mask, n_prompt), now["batch"])
        if layer == last:
            raise _Enough

    with ExitStack() as stack:
        stack.enter_context(evaluation_mode(prompted))
        stack.enter_context(torch.inference_mode())
        stack.enter_context(_looked_at(prompted, look))
        if positions == "prompt" and hasattr(prompted, "last_reader"):
            stack.enter_context(_only_first(prompted.last_reader, n_prompt))
        for batch, rows in batches_of(prompted, records):
            now |= {"batch": batch, "rows": rows}
            _run_until_enough(prompted, rows)


def kept_activations(prompted: nn.Module, rows: Any) -> Tensor:
    """All activations of one batch at the prompt, kept: [layer, batch, prompt, neuron]."""
    last, n_prompt = len(prompted.ffn) - 1, prompted.settings.n_prompt
    kept: list[Tensor] = []

    def look(layer: int, activation: Tensor) -> None:
        kept.append(activation[:, :n_prompt].clone())
        if layer == last:
            raise _Enough

    with _looked_at(prompted, look):
        _run_until_enough(prompted, rows)
    return torch.stack(kept)


def batches_of(prompted: nn.Module, records: Sequence) -> Iterator[tuple[np.ndarray, Any]]:
    """Numbers of the examples of a batch, and their rows on the model's device.

    Batches of similar lengths, longest first; the same for any order of the records.
    """
    device = next(prompted.parameters()).device
    order = canonical_order(records)
    lengths = [prompted.settings.n_prompt + records[number].length for number in order]
    for places in evaluation_batches(lengths, EVALUATION_TOKENS.get(device.type, 4_096)):
        batch = order[places]
        yield batch, prompted.collate([records[number] for number in batch]).to(device)


def canonical_order(records: Sequence, labels: Tensor | None = None) -> np.ndarray:
    """Numbers of the records, sorted by what is in them, then by label, [batch].

    Whatever is drawn at random for the examples in this order is drawn for the same examples when
    the rows of a data set change places.
    """
    further = [0] * len(records) if labels is None else labels.tolist()
    keys = [
        (*(np.asarray(part).tobytes() for part in record), label)
        for record, label in zip(records, further, strict=True)
    ]
    return np.array(sorted(range(len(records)), key=keys.__getitem__), dtype=np.int64)


@contextmanager
def _only_first(module: nn.Module, n: int) -> Iterator[None]:
    """Inside the block the module and what follows it are computed at the first positions only."""

    def keep(_module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(states[:, :n].contiguous() for states in given)  # [batch, prompt, d_model]

    handle = module.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _looked_at(prompted: nn.Module, look: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside the block `look(layer, activation)` is called with [batch, position, neuron]."""
    with ExitStack() as stack:
        for layer, module in enumerate(prompted.ffn):
            stack.enter_context(look_at_input(module, partial(look, layer)))
        yield


def _run_until_enough(prompted: nn.Module, rows: Any) -> None:
    try:
        prompted.logits(rows)
    except _Enough:
        return
    raise RuntimeError("The forward pass did not come to the last of prompted.ffn.")


def _text(activation: Tensor, attention_mask: Tensor, n_prompt: int) -> tuple[Tensor, Tensor]:
    """Activations behind the prompt, and where they are not padding, [batch, position, 1]."""
    text = activation[:, n_prompt:]  # [batch, position, neuron]
    # The attention mask may or may not cover the prompt; the text is at its end in either case.
    real = attention_mask[:, attention_mask.shape[1] - text.shape[1] :]
    return text, real[:, :, None].bool()


class _Enough(Exception):
    """Ends a forward pass whose rest nobody needs."""
