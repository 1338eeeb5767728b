"""InfoBERT: FreeLB with two information-theoretic regularisers, for MLP-FT.

Source: Wang et al. 2021 (InfoBERT), their code, and its port in TextDefender.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.checks import check_count, check_number
from mvp_skill.embedding_perturbation import perturbed, real_tokens
from mvp_skill.errors import BadInput
from mvp_skill.freelb import ascended, first_delta
from mvp_skill.hooks import record
from mvp_skill.objectives import Batch, cross_entropy
from mvp_skill.seeding import derived_seed
from mvp_skill.victim_parts import text_encoder


@dataclass(frozen=True)
class InfoBERT:
    """FreeLB whose every step also minimises `upper_bound` and maximises `lower_bound`.

        task_k        CE(S(X + delta_k), y) + beta * upper_bound(layer 0)
        g_k           gradient of task_k with respect to delta_k
        anchored      tokens whose ||g_k|| is in the middle of the sentence, `anchored_tokens`
        loss          sum over k = 1..K of (task_k - alpha * lower_bound(anchored, <s>)) / K
        delta_k+1     delta_k + step_size * g_k / ||g_k||, as in FreeLB

    Layer 0 is what the embedding block gives to the first layer, `<s>` the last layer's state. The
    critic of the lower bound trains with the victim. (In the port it stays random.)

    The defaults are those of the authors' code.
    """

    name: str = field(default="infobert", init=False)
    steps: int = 3
    """K"""
    step_size: float = 0.04
    init_magnitude: float = 0.08
    beta: float = 5e-3
    """Weight of the upper bound."""
    alpha: float = 5e-3
    """Weight of the lower bound."""
    anchors_from: float = 0.5
    anchors_to: float = 0.9
    """Anchored are the tokens between these two shares of a sentence, in rising order of gradients:
    below lie tokens that say little, above those that are not robust."""
    critic_size: int = 300
    """Hidden units of the critic."""

    def __post_init__(self) -> None:
        check_count("steps", self.steps, 1)
        check_count("critic_size", self.critic_size, 1)
        for name in ("step_size", "init_magnitude", "beta", "alpha"):
            check_number(name, getattr(self, name), "above 0", 0, math.inf)
        if not 0 <= self.anchors_from < self.anchors_to <= 1:
            raise BadInput(
                "anchors_from and anchors_to must rise from 0 to 1, not "
                f"{self.anchors_from!r} and {self.anchors_to!r}."
            )

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """The critic."""
        text_encoder(victim, self.name)
        generator = torch.Generator().manual_seed(derived_seed(seed, "critic"))
        critic = Critic(victim.config.hidden_size, self.critic_size, generator)
        return critic.to(next(victim.parameters()).device)

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """K steps, each with one backward pass to delta and one to the weights."""
        encoder, generator = text_encoder(victim, self.name), batch.generator()
        delta = first_delta(victim, batch, self.init_magnitude)
        tokens = real_tokens(batch)[..., 0] > 0  # [batch, position]
        total = torch.zeros((), device=delta.device)
        for _ in range(self.steps):
            delta.requires_grad_()
            with (
                perturbed(victim, delta),
                record(encoder.embeddings) as first,
                record(encoder.encoder.layer[-1]) as last,
            ):
                task = cross_entropy(victim, batch)
            words, sentences = first[0].float(), last[0][:, 0].float()
            task = task + self.beta * upper_bound(words[tokens], generator)
            gradient = torch.autograd.grad(task, delta, retain_graph=True)[0]
            anchored = anchored_tokens(gradient, tokens, self.anchors_from, self.anchors_to)
            bound = lower_bound(words, sentences, anchored, auxiliary)
            loss = (task - self.alpha * bound) / self.steps
            loss.backward()
            total += loss.detach()
            delta = ascended(delta, gradient, self.step_size, batch)
        return total


class Critic(nn.Module):
    """How well a token's vector x goes with a sentence's vector y.

    T(x, y) = softplus(w . relu(W [x; y] + b) + c)
    """

    def __init__(self, hidden: int, size: int, generator: torch.Generator) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # their first weights are replaced at once
            self.pair, self.score = nn.Linear(2 * hidden, size), nn.Linear(size, 1)
        for layer in (self.pair, self.score):  # as torch does it, but with a generator
            bound = layer.in_features**-0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, words: Tensor, sentences: Tensor) -> Tensor:
        """T of all pairs: [token, hidden] and [sentence, hidden] -> [sentence, token]."""
        of_word, of_sentence = self.pair.weight.chunk(2, dim=1)  # W [x; y] is a sum of two parts
        inner = F.linear(words, of_word, self.pair.bias) + F.linear(sentences, of_sentence)[:, None]
        return F.softplus(self.score(F.relu(inner))).squeeze(-1)


def upper_bound(words: Tensor, generator: torch.Generator) -> Tensor:
    """Bound on what token vectors tell about their tokens, [].

    mean over tokens i of ||x_i - x_p(i)||^2 / 2, p a random permutation

        words   [token, hidden], all real tokens of the batch
    """
    order = torch.randperm(len(words), generator=generator, device=words.device)
    return (words - words[order]).square().sum(dim=1).mean() / 2


def anchored_tokens(gradient: Tensor, tokens: Tensor, low: float, high: float) -> Tensor:
    """Whether a token is anchored, [batch, position].

    Of the n tokens of a sentence in rising order of their gradients' norms, those from
    ceil(low * n) to before ceil(high * n).

        gradient   [batch, position, hidden]
        tokens     [batch, position], False for padding
    """
    norms = gradient.norm(dim=-1).masked_fill(~tokens, torch.inf)  # padding ranks last
    rank = norms.argsort(dim=1, stable=True).argsort(dim=1)  # [batch, position]
    n_tokens = tokens.sum(dim=1, keepdim=True).double()  # [batch, 1]
    return (rank >= (low * n_tokens).ceil()) & (rank < (high * n_tokens).ceil())


def lower_bound(words: Tensor, sentences: Tensor, anchored: Tensor, critic: nn.Module) -> Tensor:
    """InfoNCE bound on what anchored tokens tell about their sentence, [].

    mean over anchored tokens i of T(x_i, y(i)) - log mean over anchored j of exp T(x_j, y(i))

        words       [batch, position, hidden]; x_i are those of anchored tokens
        sentences   [batch, hidden]; y(i) is the sentence of token i
        anchored    [batch, position]; the batch has at least one
    """
    sentence, _ = anchored.nonzero(as_tuple=True)  # [token]
    scores = critic(words[anchored], sentences)  # [sentence, token]
    own = scores[sentence, torch.arange(len(sentence), device=scores.device)]  # [token]
    against = scores.logsumexp(dim=1) - math.log(len(sentence))  # [sentence]
    return (own - against[sentence]).mean()
