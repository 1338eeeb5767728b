"""What a training step minimises: the contract of all objectives, and the clean one.

An objective is a frozen dataclass of settings with two methods. The loop clears the gradients,
calls `backward`, clips them and lets the optimiser step. It knows nothing else of it.
"""

from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Rows


@dataclass(frozen=True)
class Batch:
    """What an objective is given in one step."""

    rows: Rows
    labels: Tensor
    """[batch]"""
    seed: int
    """Of what the objective draws in this step. (Dropout draws from torch's global generator.)"""
    bf16: bool = False
    """Whether the victim computes in bfloat16; losses are fp32 always."""

    def generator(self) -> torch.Generator:
        """A fresh generator of this step, on the device of the rows."""
        return torch.Generator(self.labels.device).manual_seed(self.seed)


class Objective(Protocol):
    """A way to train; its fields are its settings."""

    name: str

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """Weights that train along with the victim and are thrown away; most have none.

        raises   BadInput if the objective is not defined for this victim
        """

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """Add the gradients of this step to the weights' `.grad`; the loss, detached, []."""


@dataclass(frozen=True)
class Clean:
    """Ordinary training.

    loss = CE(S(x), y), the mean over the batch
    """

    name: str = field(default="clean", init=False)

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """No weights."""
        return nn.Module()

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """One forward pass, one backward pass."""
        loss = cross_entropy(victim, batch)
        loss.backward()
        return loss.detach()


@dataclass(frozen=True)
class Vocabulary:
    """Prompt tuning of T5: the label word against all words, not only those of other classes.

    loss = CE(v(x), w(y)), v the scores of the vocabulary at the first decoder step, w(y) the first
    piece of the label word. (The authors go on to a second piece where there is one; it is never
    read, so here it is not trained.)

    Source: the code of Su et al. 2022.
    """

    name: str = field(default="vocabulary", init=False)

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """No weights; BadInput for a victim that is no prompt-tuned T5."""
        if not hasattr(victim, "vocabulary_logits"):
            raise BadInput(
                "The objective 'vocabulary' is for a prompt-tuned T5; use 'clean', which compares "
                f"the label words, for {victim.settings.method} on {victim.settings.backbone}."
            )
        return nn.Module()

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """One forward pass, one backward pass."""
        with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=batch.bf16):
            scores = victim.vocabulary_logits(batch.rows)  # [batch, vocab]
        loss = F.cross_entropy(scores.float(), victim.word_ids[batch.labels])
        loss.backward()
        return loss.detach()


def logits(victim: nn.Module, batch: Batch) -> Tensor:
    """The victim's logits with gradients, [batch, class], fp32."""
    with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=batch.bf16):
        scores = victim.logits(batch.rows)
    return scores.float()


def cross_entropy(victim: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy of the batch, []."""
    return F.cross_entropy(logits(victim, batch), batch.labels)
