"""Reading labels before any tuning: scores of any words at the masks of an MVP victim.

The encoder reads every text once; which words are looked up at the masks costs almost nothing, so
many verbalizers can be tried on one reading.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.masked_lm import state_at, word_scores
from mvp_skill.prediction import evaluation_mode
from mvp_skill.prompts import Verbalizer

if TYPE_CHECKING:
    from mvp_skill.mvp import MVP

TEXTS_AT_ONCE = 32  # rows are as many times the templates


def read_words(
    victim: "MVP", texts: Sequence[str] | Sequence[tuple[str, ...]], word_ids: Sequence[int]
) -> Tensor:
    """Masked-LM logits of words at the mask of each template, [batch, template, word], on the CPU.

    With the victim's own label words, pooled as it pools, they are its class logits.
    """
    parts = []
    with evaluation_mode(victim), torch.inference_mode():
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            parts.append(_read(victim, texts[start : start + TEXTS_AT_ONCE], word_ids))
    return torch.cat(parts).clone()  # [batch, template, word]


def readable(verbalizers: dict[str, Verbalizer], tokenizer: Any) -> dict[str, Verbalizer]:
    """Those whose words the tokenizer all has as single tokens; a small one lacks many words."""

    def fits(verbalizer: Verbalizer) -> bool:
        try:
            return bool(verbalizer.token_ids(tokenizer))
        except BadInput:
            return False

    return {name: verbalizer for name, verbalizer in verbalizers.items() if fits(verbalizer)}


def random_verbalizers(
    tokenizer: Any, texts: Iterable[str], n_classes: int, n: int, seed: int
) -> list[Verbalizer]:
    """`n` verbalizers with one word per class, drawn from the words of the texts.

    Only words that are one token after a space are drawn.

        raises   BadInput if the texts have fewer of them than there are classes
    """
    words = sorted({word for text in texts for word in text.split() if word.isalpha()})
    encoded = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]
    known = {
        ids[0]: word
        for word, ids in zip(words, encoded, strict=True)
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id
    }  # one word per token: some tokenizers do not tell upper from lower case
    if len(known) < n_classes:
        raise BadInput(
            f"Only {len(known)} words of these texts are single tokens, too few for {n_classes} "
            "classes; give more texts."
        )
    generator = np.random.default_rng(seed)
    chosen = [generator.choice(list(known.values()), n_classes, replace=False) for _ in range(n)]
    return [Verbalizer(tuple((str(word),) for word in words)) for words in chosen]


def share_right(class_scores: Tensor, labels: Sequence[int]) -> float:
    """Clean accuracy of class scores [batch, class]: the largest score is that of the label."""
    return (class_scores.argmax(dim=-1) == torch.as_tensor(labels)).double().mean().item()


def _read(victim: "MVP", texts: Sequence, word_ids: Sequence[int]) -> Tensor:
    device = next(victim.parameters()).device
    rows = victim.collate(victim.encode(texts)).to(device)
    encoder = getattr(victim.backbone, victim.encoder_name)
    at_mask = state_at(encoder, rows, rows.mask_position.flatten())  # [batch * template, hidden]
    scores = word_scores(victim.backbone, at_mask, torch.as_tensor(word_ids, device=device))
    return scores.unflatten(0, rows.mask_position.shape).float().cpu()  # [batch, template, word]
