"""What a language model has to restore: masked tokens for RoBERTa, spans for T5.

Label words ("great", "sports") are the ends of many documents of the corpus and say what the whole
document amounts to, so they are hidden more often than other words.
"""

import numpy as np
import torch
from torch import Tensor

IGNORED = -100
MASKED_SHARE = 0.2
LABEL_MASKED_SHARE = 0.7
KEPT_SHARE, RANDOM_SHARE = 0.1, 0.1  # of the masked tokens: left as they are, exchanged at random
LONGEST_SPAN = 3
LABEL_ALONE_SHARE = 0.4  # of the texts with a label word: nothing else is hidden


def mask_tokens(
    ids: Tensor, special: Tensor, label_words: Tensor, mask_id: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Inputs and targets of masked language modelling.

    In some rows with label words nothing else is hidden: a comparison can be learned only where
    both of what is compared can be read.

    ids          [batch, position]
    special      [vocab] true for special tokens, which are never masked
    label_words  [vocab] true for label words
    returns      inputs and targets [batch, position]; targets are `IGNORED` where nothing is asked
    """
    is_label = label_words[ids]  # [batch, position]
    share = torch.where(is_label, LABEL_MASKED_SHARE, MASKED_SHARE)
    alone = torch.rand(len(ids), 1, generator=generator) < LABEL_ALONE_SHARE  # [batch, 1]
    share[special[ids] | (alone & is_label.any(dim=1, keepdim=True) & ~is_label)] = 0.0
    chosen = torch.rand(ids.shape, generator=generator) < share  # [batch, position]
    point = torch.rand(ids.shape, generator=generator)
    anything = torch.randint(len(special), ids.shape, generator=generator)
    inputs = ids.masked_fill(chosen & (point >= KEPT_SHARE), mask_id)
    at_random = chosen & (point >= KEPT_SHARE) & (point < KEPT_SHARE + RANDOM_SHARE)
    inputs = torch.where(at_random & ~special[anything], anything, inputs)
    return inputs, ids.masked_fill(~chosen, IGNORED)


def corrupt_spans(
    ids: list[int], label_words: set[int], sentinels: list[int], end: int, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Encoder input and decoder target of span corruption for one text (without its end token).

    Each hidden span becomes a sentinel of the input; the target lists the spans, parted by the
    sentinels. Other than in Raffel et al. (2020) the target does not begin with the first
    sentinel, which tells nothing: so the first decoder step is the first hidden word, and a label
    word can be read there, as prompt tuning does. Of several label words, as on an exercise sheet,
    most are hidden at once.
    """
    labels = [i for i, token in enumerate(ids) if token in label_words]
    if labels and rng.random() < LABEL_ALONE_SHARE:
        hidden = [i for i in labels if rng.random() < LABEL_MASKED_SHARE] or labels[-1:]
        starts = dict.fromkeys(hidden[: len(sentinels)], 1)
    else:
        starts = random_spans(len(ids), len(sentinels), rng)
    inputs, target, position = [], [], 0
    for number, (start, length) in enumerate(sorted(starts.items())):
        inputs += ids[position:start] + [sentinels[number]]
        target += ([sentinels[number]] if number else []) + ids[start : start + length]
        position = start + length
    return inputs + ids[position:] + [end], target + [end]


def random_spans(n_tokens: int, most: int, rng: np.random.Generator) -> dict[int, int]:
    """Start -> length of spans that neither touch nor overlap, about a fifth of all tokens."""
    spans: dict[int, int] = {}
    position = int(rng.integers(0, 2 * LONGEST_SPAN))
    while position < n_tokens and len(spans) < most:
        spans[position] = min(int(rng.integers(1, LONGEST_SPAN + 1)), n_tokens - position)
        position += spans[position] + 1 + int(rng.integers(0, 4 * LONGEST_SPAN))
    return spans or {n_tokens - 1: 1}
