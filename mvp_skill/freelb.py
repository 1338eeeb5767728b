"""FreeLB++: embedding perturbation with several steps, all of which train the victim.

Source: Zhu et al. 2020 (FreeLB), Li et al. 2021 (FreeLB++) and the code of TextDefender.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mvp_skill.checks import check_count, check_number
from mvp_skill.embedding_perturbation import perturbed, real_tokens, symmetric_noise, unit
from mvp_skill.objectives import Batch, cross_entropy
from mvp_skill.victim_parts import word_embeddings


@dataclass(frozen=True)
class FreeLB:
    """K ascent steps whose gradients all count.

        delta_1      first_delta(init_magnitude)
        loss         sum over k = 1..K of CE(S(X + delta_k), y) / K, dropout on
        g_k          its gradient with respect to delta_k
        delta_k+1    delta_k + step_size * g_k / ||g_k||

    The norm is taken over a row's positions and hidden units together. What FreeLB++ changes in
    FreeLB: no bound on delta, and more steps (30 for AG News, 10 for IMDB in public code).

    The defaults are those of TextDefender's code.
    """

    name: str = field(default="freelb", init=False)
    steps: int = 5
    """K"""
    step_size: float = 0.03
    init_magnitude: float = 0.05

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 1)
        for name in ("step_size", "init_magnitude"):
            check_number(name, getattr(self, name), "above 0", 0, math.inf)

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """No weights."""
        return nn.Module()

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """K forward and K backward passes, one after the other: the memory of one of them."""
        delta = first_delta(victim, batch, self.init_magnitude)
        total = torch.zeros((), device=delta.device)
        for _ in range(self.steps):
            delta.requires_grad_()
            with perturbed(victim, delta):
                loss = cross_entropy(victim, batch) / self.steps
            loss.backward()
            total += loss.detach()
            delta = ascended(delta, delta.grad, self.step_size, batch)
        return total


def first_delta(victim: nn.Module, batch: Batch, magnitude: float) -> Tensor:
    """magnitude * u / sqrt(n_tokens * n_hidden), u uniform in (-1, 1) on real tokens.

    returns   [batch * template, position, hidden]
    """
    n_tokens = real_tokens(batch).sum(dim=1, keepdim=True)  # [batch * template, 1, 1]
    n_hidden = word_embeddings(victim).embedding_dim
    return symmetric_noise(victim, batch) * magnitude / (n_tokens * n_hidden).sqrt()


def ascended(delta: Tensor, gradient: Tensor, step_size: float, batch: Batch) -> Tensor:
    """delta after one step of norm step_size along the gradient, real tokens only; detached."""
    return (delta + step_size * unit(real_tokens(batch) * gradient)).detach()
