"""The losses of pretraining: masked tokens for RoBERTa, hidden spans for T5.

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


def padded(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
    """Rows of ids filled up to the longest, [batch, position]."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (width - len(row))] for row in rows])


def label_word_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids of the label words of the corpus that are single tokens."""
    words = {w for classes in corpus.LABEL_WORDS.values() for label in classes for w in label}
    coded = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in sorted(words)]
    return {ids[0] for ids in coded if len(ids) == 1}


def sentinel_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of <extra_id_0>, <extra_id_1>, …"""
    numbers = range(len(tokenizer.get_sentinel_tokens()))
    return tokenizer.convert_tokens_to_ids([f"<extra_id_{number}>" for number in numbers])


class MaskedTokens:
    """Loss of RoBERTa on a batch of texts; the vocabulary is scored at masked positions only."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.special = torch.zeros(len(tokenizer), dtype=torch.bool)  # [vocab]
        self.special[tokenizer.all_special_ids] = True
        self.label_words = torch.zeros(len(tokenizer), dtype=torch.bool)  # [vocab]
        self.label_words[sorted(label_word_ids(tokenizer))] = True

    def __call__(self, model: nn.Module, rows: Sequence[Sequence[int]], seed: int) -> Tensor:
        """Mean loss over the masked tokens of the rows of ids (without special tokens)."""
        generator = torch.Generator().manual_seed(seed)
        tokens = self.tokenizer
        start, end, pad = tokens.bos_token_id, tokens.eos_token_id, tokens.pad_token_id
        ids = padded([[start, *row, end] for row in rows], pad)  # [batch, position]
        inputs, targets = mask_tokens(
            ids, self.special, self.label_words, tokens.mask_token_id, generator
        )
        asked = targets != IGNORED
        inputs, targets, attention, asked = (
            t.to(model.device) for t in (inputs, targets, ids != pad, asked)
        )
        states = model.roberta(inputs, attention_mask=attention).last_hidden_state
        return cross_entropy(model.lm_head(states[asked]).float(), targets[asked])


class HiddenSpans:
    """Loss of T5 on a batch of texts."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.sentinels = sentinel_ids(tokenizer)
        self.label_words = label_word_ids(tokenizer)

    def __call__(self, model: nn.Module, rows: Sequence[Sequence[int]], seed: int) -> Tensor:
        """Mean loss over the tokens of the targets for the rows of ids (without special tokens)."""
        rng = np.random.default_rng(seed)
        end, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
        pairs = [corrupt_spans(r, self.label_words, self.sentinels, end, rng) for r in rows]
        inputs = padded([source for source, _ in pairs], pad).to(model.device)
        targets = padded([target for _, target in pairs], IGNORED).to(model.device)
        return model(input_ids=inputs, attention_mask=inputs != pad, labels=targets).loss


OBJECTIVES: dict[str, Callable] = {"roberta": MaskedTokens, "t5": HiddenSpans}
