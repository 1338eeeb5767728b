"""Questions of many attacks to one model, asked together: each text once, in full batches.

One object per model of an attack: the victim, the sentence encoder, the masked language model. Each
takes the items of all searches that wait for it, and its answers are then handed out.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from mvp_skill.attack_constraints import shifted
from mvp_skill.prediction import predict
from mvp_skill.token_budgets import budget_of
from mvp_skill.victims import Victim as OurVictim

if TYPE_CHECKING:
    from mvp_skill.attack_resources import Encoder, MaskedLM
    from mvp_skill.attacks import Victim

SENTENCES = 2**15  # vectors kept: 50 MB of 384 numbers
TEXTS_AT_ONCE = 256  # for a model that makes its own batches or none


class VictimCalls:
    """Logits of texts, [batch, class], on the CPU in 32 bits, each row shifted to a maximum of 0.

    A victim of ours is given batches of as many tokens as suit the device. Any other function of
    texts, a class made from one of ours too, gets up to TEXTS_AT_ONCE in the order in which they
    were asked about.
    """

    def __init__(self, victim: "Victim"):
        self.victim = victim
        own = type(victim) in get_args(OurVictim) and not victim._forward_hooks
        self.answer = self._in_batches if own else self._in_parts
        self.budget = budget_of("victim", victim) if own else None

    @torch.inference_mode()
    def __call__(self, texts: list) -> Tensor:
        """Logits [batch, class] of different texts."""
        return shifted(self.answer(texts).cpu())

    def _in_batches(self, texts: list) -> Tensor:
        return predict(self.victim, texts, self.budget)

    def _in_parts(self, texts: list) -> Tensor:
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        return torch.cat([self.victim(texts[i : i + TEXTS_AT_ONCE]) for i in starts])


class EncoderCalls:
    """Vectors of sentences, [batch, d]; the last SENTENCES of them are kept.

    The words around a change are often the same: in attacks on one text, and on texts from the same
    source.
    """

    def __init__(self, encoder: "Encoder"):
        self.encoder = encoder
        self.vectors: OrderedDict[str, Tensor] = OrderedDict()

    def __call__(self, sentences: list[str]) -> Tensor:
        """Vectors [batch, d] of different sentences."""
        new = [sentence for sentence in sentences if sentence not in self.vectors]
        if new:
            # Copies, or one vector that stays would keep all that were made with it.
            vectors = (vector.clone() for vector in self.encoder.encode(new))
            self.vectors.update(zip(new, vectors, strict=True))
        for sentence in sentences:
            self.vectors.move_to_end(sentence)
        found = torch.stack([self.vectors[sentence] for sentence in sentences])
        while len(self.vectors) > SENTENCES:
            self.vectors.popitem(last=False)
        return found


class MaskedLMCalls:
    """Readings of texts by a masked language model, which it keeps for `candidates`."""

    def __init__(self, masked_lm: "MaskedLM", k: int):
        self.masked_lm, self.k = masked_lm, k

    def __call__(self, texts: list[str]) -> Tensor:
        """Let it read different texts in one go; nothing is handed out, [batch, 0]."""
        self.masked_lm.read(texts, self.k)
        return torch.empty(len(texts), 0)
