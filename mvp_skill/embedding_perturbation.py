"""Adversarial training on perturbed word embeddings, "+Adv", for every victim.

Source: Raman et al. 2023, section 4, and the authors' code.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mvp_skill.checks import check_choice, check_count, check_number
from mvp_skill.hooks import edit
from mvp_skill.objectives import Batch, cross_entropy
from mvp_skill.prediction import evaluation_mode
from mvp_skill.victim_parts import word_embeddings


@dataclass(frozen=True)
class EmbeddingPerturbation:
    """Training on word embeddings that are moved to where the loss is high.

        delta_0    uniform in (-1, 1) on real tokens, 0 on padding, then scaled to norm epsilon
        g          gradient of CE(S(X + delta), y) with respect to delta; X the word embeddings
        delta     <- project(delta + step_size * g / ||g||), `steps` times
        loss       CE(S(X + delta), y); nothing else, there is no clean term

    Dropout is off while delta is searched and on for the loss. Each row has a delta of its own
    (with MVP each prompted copy of a text), and its norm is taken over all positions and hidden
    units together, template and special tokens included. With the norm "linf", delta_0 is uniform
    in +-epsilon, the step has the sign of g, and every value is clamped.

    The defaults are the README's setting of the authors' code: L2, epsilon 1, one step.
    """

    name: str = field(default="perturbation", init=False)
    norm: str = "l2"
    """"l2" or "linf"."""
    epsilon: float = 1.0
    """Largest norm of a delta."""
    steps: int = 1
    step_size: float | None = None
    """Norm of one step (alpha); None takes 1.5 * epsilon / steps."""
    accumulate_inner_grad: bool = False
    """Keep what the search adds to the weights' gradients, as the authors' code does. Then the
    optimiser sees grad CE(S(X + delta_0)), dropout off, X fixed, plus the gradient of the loss."""

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, tuple(NORMS))
        check_number("epsilon", self.epsilon, "above 0", 0, math.inf)
        check_count("steps", self.steps, 1)
        if self.step_size is not None:
            check_number("step_size", self.step_size, "above 0, or None", 0, math.inf)
        check_choice("accumulate_inner_grad", self.accumulate_inner_grad, (True, False))

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """No weights."""
        return nn.Module()

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """Search delta, then one ordinary step on the perturbed embeddings."""
        with perturbed(victim, self.search(victim, batch)):
            loss = cross_entropy(victim, batch)
        loss.backward()
        return loss.detach()

    def search(self, victim: nn.Module, batch: Batch) -> Tensor:
        """delta after all steps, [batch * template, position, hidden], without gradients.

        The weights get no gradients from this, unless `accumulate_inner_grad`.
        """
        norm, tokens = NORMS[self.norm], real_tokens(batch)
        step_size = self.step_size or 1.5 * self.epsilon / self.steps
        delta = norm.first(symmetric_noise(victim, batch), self.epsilon)
        with evaluation_mode(victim):
            for _ in range(self.steps):
                gradient = tokens * self._gradient(victim, batch, delta)
                delta = norm.project(delta + step_size * norm.direction(gradient), self.epsilon)
        return delta

    def _gradient(self, victim: nn.Module, batch: Batch, delta: Tensor) -> Tensor:
        delta = delta.detach().requires_grad_()
        with edit(word_embeddings(victim), lambda words: words.detach() + delta):
            loss = cross_entropy(victim, batch)
        if self.accumulate_inner_grad:
            loss.backward()
            return delta.grad
        return torch.autograd.grad(loss, delta)[0]


class Norm(NamedTuple):
    """How far a delta may go, and in which direction a step goes."""

    first: Callable[[Tensor, float], Tensor]
    """(noise in (-1, 1), epsilon) -> delta_0"""
    direction: Callable[[Tensor], Tensor]
    """gradient -> step of size 1"""
    project: Callable[[Tensor, float], Tensor]
    """(delta, epsilon) -> the nearest delta that is allowed"""


def row_norms(tensor: Tensor) -> Tensor:
    """L2 norms over positions and hidden units together: [row, position, hidden] -> [row, 1, 1]."""
    return tensor.flatten(1).norm(dim=1)[:, None, None]


def unit(tensor: Tensor) -> Tensor:
    """Rows of norm 1, [row, position, hidden]; a row of zeros stays one."""
    tiny = torch.finfo(tensor.dtype).tiny
    # A sure victim's gradients are so small that their squares are 0, hence first the maximum.
    scaled = tensor / tensor.abs().amax(dim=(1, 2), keepdim=True).clamp(min=tiny)
    return scaled / row_norms(scaled).clamp(min=tiny)


NORMS = {
    "l2": Norm(
        lambda noise, epsilon: epsilon * unit(noise),
        unit,
        lambda delta, epsilon: delta * (epsilon / row_norms(delta).clamp(min=epsilon)),
    ),
    "linf": Norm(
        lambda noise, epsilon: epsilon * noise,
        torch.sign,
        lambda delta, epsilon: delta.clamp(-epsilon, epsilon),
    ),
}


AS_RELEASED = EmbeddingPerturbation(accumulate_inner_grad=True)
"""What the authors' optimiser saw, but for delta_0, which is skewed in their code and covers
padding."""


def perturbed(victim: nn.Module, delta: Tensor) -> AbstractContextManager[None]:
    """Inside the block the victim reads its word embeddings (with gradients) plus delta."""
    return edit(word_embeddings(victim), lambda words: words + delta)


def symmetric_noise(victim: nn.Module, batch: Batch) -> Tensor:
    """Uniform in (-1, 1) on real tokens, 0 on padding, [batch * template, position, hidden]."""
    tokens = real_tokens(batch)
    shape = *tokens.shape[:2], word_embeddings(victim).embedding_dim
    noise = torch.empty(shape, device=tokens.device)
    return tokens * noise.uniform_(-1, 1, generator=batch.generator())


def real_tokens(batch: Batch) -> Tensor:
    """1 for tokens, 0 for padding, [batch * template, position, 1]."""
    return batch.rows.attention_mask[:, :, None].float()
