"""The losses of pretraining: masked tokens, the next token (GPT-2), hidden spans (T5).

What is hidden depends on the seed that each call is given, so any step can be repeated.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from mvp_skill.mini import corpus
from mvp_skill.mini.corruption import IGNORED, corrupt_spans, mask_tokens

LABEL_WEIGHT = 4.0  # of a label word in the loss, against 1 for any other token
# Lengths and counts are rounded up to these, so that the same few shapes come again and again:
# fast kernels are prepared once per shape.
LENGTH_STEP, COUNT_STEP = 4, 64


def rounded(number: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-number // step) * step


def padded(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
    """Rows of ids filled up to one length, the longest rounded up, [batch, position]."""
    width = rounded(max(map(len, rows)), LENGTH_STEP)
    return torch.tensor([[*row, *[filling] * (width - len(row))] for row in rows])


def label_word_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids of the label words of the corpus that are single tokens."""
    words = {w for classes in corpus.LABEL_WORDS.values() for label in classes for w in label}
    coded = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in sorted(words)]
    return {ids[0] for ids in coded if len(ids) == 1}


def label_word_mask(tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """True for label words, [vocab]."""
    mask = torch.zeros(len(tokenizer), dtype=torch.bool)
    mask[sorted(label_word_ids(tokenizer))] = True
    return mask


def answered(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Flat places of the targets that count and what is asked there, both [token].

    Filled up to a multiple of `COUNT_STEP` with places at which nothing is asked.
    """
    flat = targets.view(-1)
    found = (flat != IGNORED).nonzero().view(-1)
    places = found.new_zeros(rounded(len(found), COUNT_STEP))
    places[: len(found)] = found
    answers = flat[places]
    answers[len(found) :] = IGNORED
    return places, answers


def weighted_loss(scores: Tensor, targets: Tensor, label_words: Tensor) -> Tensor:
    """Mean cross-entropy in which a label word counts `LABEL_WEIGHT` times.

    A label word says what a whole text amounts to. There are few of them among many easy tokens,
    and without the weight the models stay blind to praise and blame for most of their training.

    scores       [token, vocab]
    targets      [token]; `IGNORED` ones do not count
    label_words  [vocab]
    """
    weights = torch.where(label_words, LABEL_WEIGHT, 1.0)
    return cross_entropy(scores.float(), targets, weight=weights, ignore_index=IGNORED)


def sentinel_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of <extra_id_0>, <extra_id_1>, …"""
    numbers = range(len(tokenizer.get_sentinel_tokens()))
    return tokenizer.convert_tokens_to_ids([f"<extra_id_{number}>" for number in numbers])


def head_of(model: nn.Module) -> nn.Module:
    """What scores the vocabulary from hidden states; BERT's has a name of its own."""
    return model.cls if model.config.model_type == "bert" else model.lm_head


class MaskedTokens:
    """Loss of RoBERTa or BERT on a batch of texts; only masked positions are scored."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.special = torch.zeros(len(tokenizer), dtype=torch.bool)  # [vocab]
        self.special[tokenizer.all_special_ids] = True
        self.label_words = label_word_mask(tokenizer)

    def __call__(self, model: nn.Module, rows: Sequence[Sequence[int]], seed: int) -> Tensor:
        """Mean loss over the masked tokens of the rows of ids (without special tokens)."""
        generator = torch.Generator().manual_seed(seed)
        tokens = self.tokenizer
        start, end, pad = tokens.cls_token_id, tokens.sep_token_id, tokens.pad_token_id
        # A text whose heading stands apart has its own start behind that.
        begun = [row if start in row else [start, *row] for row in rows]
        ids = padded([[*row, end] for row in begun], pad)  # [batch, position]
        inputs, targets = mask_tokens(
            ids, self.special, self.label_words, tokens.mask_token_id, generator
        )
        places, answers = answered(targets)
        inputs, attention, places, answers = (
            t.to(model.device) for t in (inputs, ids != pad, places, answers)
        )
        states = model.base_model(inputs, attention_mask=attention).last_hidden_state
        scores = head_of(model)(states.view(-1, states.shape[-1])[places])  # [token, vocab]
        return weighted_loss(scores, answers, self.label_words.to(model.device))


class NextTokens:
    """Loss of GPT-2 on a batch of texts, each between two end tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.label_words = label_word_mask(tokenizer)

    def __call__(self, model: nn.Module, rows: Sequence[Sequence[int]], seed: int) -> Tensor:
        """Mean loss over the tokens of the rows of ids; nothing is hidden, so `seed` is unused."""
        end = self.tokenizer.eos_token_id
        inputs = padded([[end, *row] for row in rows], end).to(model.device)  # [batch, position]
        targets = padded([[*row, end] for row in rows], IGNORED).to(model.device)
        places, answers = answered(targets)
        states = model.transformer(inputs).last_hidden_state  # nothing looks at what follows
        scores = model.lm_head(states.view(-1, states.shape[-1])[places])  # [token, vocab]
        return weighted_loss(scores, answers, self.label_words.to(model.device))


class HiddenSpans:
    """Loss of T5 on a batch of texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.sentinels = sentinel_ids(tokenizer)
        self.label_ids = label_word_ids(tokenizer)
        self.label_words = label_word_mask(tokenizer)

    def __call__(self, model: nn.Module, rows: Sequence[Sequence[int]], seed: int) -> Tensor:
        """Mean loss over the tokens of the targets for the rows of ids (without special tokens)."""
        rng = np.random.default_rng(seed)
        end, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        pairs = [corrupt_spans(r, self.label_ids, self.sentinels, end, rng) for r in rows]
        inputs = padded([source for source, _ in pairs], pad).to(model.device)
        targets = padded([target for _, target in pairs], IGNORED).to(model.device)
        attention = inputs != pad
        read = model.encoder(input_ids=inputs, attention_mask=attention).last_hidden_state
        states = model.decoder(
            input_ids=model.prepare_decoder_input_ids_from_labels(targets),
            encoder_hidden_states=read,
            encoder_attention_mask=attention,
        ).last_hidden_state
        places, answers = answered(targets)
        # T5 scales its states before the tied output embeddings (transformers' T5 does the same).
        states = states.view(-1, states.shape[-1])[places] * model.model_dim**-0.5
        return weighted_loss(model.lm_head(states), answers, self.label_words.to(model.device))


OBJECTIVES: dict[str, Callable] = {
    "roberta": MaskedTokens,
    "bert": MaskedTokens,
    "gpt2": NextTokens,
    "t5": HiddenSpans,
}
