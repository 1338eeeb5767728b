"""Where a language model keeps its encoder and its head, for the model types we support."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Rows


class Layout(NamedTuple):
    """One model type of the library."""

    kind: str
    """How it is loaded: a key of `backbones.KINDS`. A causal one has no mask and no `<s>`."""
    encoder: str
    """Attribute of the language model that holds the encoder."""
    transform: Callable[[nn.Module, Tensor], Tensor]
    """(model, hidden [..., hidden]) -> what the decoder multiplies with the word embeddings."""
    n_positions: Callable[..., int]
    """config -> tokens in the longest row."""
    last_output: Callable[[nn.Module], nn.Module] | None = None
    """encoder -> the module after the last layer's attention: (context, residual) -> state."""


def _roberta_transform(model: nn.Module, hidden: Tensor) -> Tensor:
    return model.lm_head.layer_norm(F.gelu(model.lm_head.dense(hidden)))


def _bert_last_output(encoder: nn.Module) -> nn.Module:
    return encoder.encoder.layer[-1].attention.output


def _bert_transform(model: nn.Module, hidden: Tensor) -> Tensor:
    return model.cls.predictions.transform(hidden)


def longest_row(config: Any) -> int:
    """Tokens for which a model has positions; RoBERTa's start after the padding id."""
    taken = config.pad_token_id + 1 if config.model_type == "roberta" else 0
    return config.max_position_embeddings - taken


LAYOUTS = {
    "roberta": Layout(
        "masked_lm",
        "roberta",
        _roberta_transform,
        longest_row,
        _bert_last_output,
    ),
    "bert": Layout(
        "masked_lm",
        "bert",
        _bert_transform,
        longest_row,
        _bert_last_output,
    ),
    # GPT-2's encoder ends with the layer norm; its head is the word embeddings and nothing else.
    "gpt2": Layout(
        "causal_lm", "transformer", lambda _, hidden: hidden, lambda config: config.n_positions
    ),
}


def layout_of(model: nn.Module) -> Layout:
    """The layout of a language model of the library."""
    return layout_named(model.config.model_type)


def layout_named(model_type: str) -> Layout:
    """The layout of a model type; BadInput for one without an entry in LAYOUTS."""
    if model_type not in LAYOUTS:
        raise BadInput(
            f"A backbone of type {model_type!r} cannot be a victim yet; use one of type "
            f"{', '.join(LAYOUTS)}."
        )
    return LAYOUTS[model_type]


def last_hidden_state(encoder: nn.Module, rows: Rows) -> Tensor:
    """Last layer of the encoder, [batch * template, position, hidden]."""
    inputs = {"input_ids": rows.input_ids, "attention_mask": rows.attention_mask}
    inputs["use_cache"] = False  # GPT-2 would otherwise keep keys and values of all layers
    if rows.token_type_ids is not None:
        inputs["token_type_ids"] = rows.token_type_ids
    return encoder(**inputs).last_hidden_state


def state_at(encoder: nn.Module, rows: Rows, position: Tensor) -> Tensor:
    """Last layer of the encoder at one position of each row, [batch * template, hidden].

    Nothing reads its other positions, so where the layout allows it, all that follows the last
    attention is computed there only. (Of 4 layers this saves a fifth of the work, of 12 a 16th.)

        position   [batch * template]
    """
    row = torch.arange(len(position), device=position.device)
    last_output = layout_of(encoder).last_output
    if last_output is None:
        return last_hidden_state(encoder, rows)[row, position]
    with only_at(last_output(encoder), row, position):
        return last_hidden_state(encoder, rows)[:, 0]


@contextmanager
def only_at(module: nn.Module, row: Tensor, position: Tensor) -> Iterator[None]:
    """Inside the block the module gets one position of each row: [row, 1, hidden].

    module   a layer's `attention.output`: all that follows it is computed there only
    """

    def keep(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(states[row, position, None] for states in given)

    hook = module.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def word_scores(model: nn.Module, hidden: Tensor, word_ids: Tensor) -> Tensor:
    """Logits of some words only, equal to those columns of the full head.

    The decoder's rows *are* the word embeddings (tied); they are looked up, not copied, so that
    training moves the input embeddings of the label words too.

        hidden     [row, hidden], the encoder's states where the words are read
        word_ids   [word]
        returns    [row, word]
    """
    decoder = model.get_output_embeddings()
    features = layout_of(model).transform(model, hidden)  # [row, hidden]
    # embedding: its backward pass is deterministic on a GPU, that of plain indexing is slow there
    bias = None if decoder.bias is None else decoder.bias[word_ids]  # GPT-2 has none
    return F.linear(features, F.embedding(word_ids, decoder.weight), bias)
