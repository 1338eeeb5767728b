"""AMDA: adversarial data augmentation and mixup of hidden states, for MLP-FT.

    attacker = RecipeAttacker("textfooler", task, resources_for("mini"))
    train(victim, data, TrainConfig(objective=AMDA(num_adv=50)), attacker=attacker)

Source: Si et al. 2021 (AMDA) and their code, MixADA.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.checks import check_choice, check_count, check_number
from mvp_skill.errors import BadInput
from mvp_skill.hooks import edit
from mvp_skill.objectives import Batch, cross_entropy, logits
from mvp_skill.seeding import derived_seed
from mvp_skill.victim_parts import text_encoder

if TYPE_CHECKING:
    from datasets import Dataset

    from mvp_skill.attack_resources import Resources
    from mvp_skill.tasks import Task

MIXUPS = ("tmix", "sentmix")


@dataclass(frozen=True)
class AMDA:
    """Cross-entropy on the batch, and on the batch mixed with a permuted copy of itself.

        loss     CE(S(x), y) + KL(m || softmax S(x, x'; lambda)), means over the batch
        m        lambda * onehot(y) + (1 - lambda) * onehot(y')
        lambda   one draw from Beta(alpha, alpha) per batch
        h        lambda * h + (1 - lambda) * h' after one drawn layer, read on from there

    (x', y') is the batch in another order. "tmix" mixes the hidden states of all positions,
    "sentmix" that of `<s>` only. A position is mixed where both texts have a token.

    Before each epoch but the first, `num_adv` training texts are attacked, and the successful
    adversarial texts join the training data with the label of their originals, for good.

    The defaults are those of the authors' code and its example with TextFooler.
    """

    name: str = field(default="amda", init=False)
    num_adv: int = 500
    """Training texts attacked per epoch. (Their examples: 300 with PWWS, 1,500 with TextFooler.)"""
    mixup: str = "tmix"
    """"tmix" or "sentmix"."""
    alpha: float = 0.4
    """Of the Beta distribution; the example with PWWS has 2.0."""
    mix_layers: tuple[int, ...] | None = None
    """Layers to draw from, counted from 1; None takes 7, 9 and 12 of 12, in proportion."""

    def __post_init__(self) -> None:
        check_count("num_adv", self.num_adv, 1)
        check_choice("mixup", self.mixup, MIXUPS)
        check_number("alpha", self.alpha, "above 0", 0, math.inf)

    def auxiliary(self, victim: nn.Module, seed: int) -> nn.Module:
        """No weights."""
        n_layers = len(text_encoder(victim, self.name).encoder.layer)
        layers = self.layers(n_layers)
        if not layers or not all(layer in range(1, n_layers + 1) for layer in layers):
            raise BadInput(
                f"mix_layers must be layers from 1 to {n_layers} of this backbone, or None, not "
                f"{self.mix_layers!r}."
            )
        return nn.Module()

    def layers(self, n_layers: int) -> tuple[int, ...]:
        """The layers to draw from, counted from 1."""
        if self.mix_layers is not None:
            return tuple(self.mix_layers)
        return tuple(max(1, round(n_layers * layer / 12)) for layer in (7, 9, 12))

    def backward(self, victim: nn.Module, batch: Batch, auxiliary: nn.Module) -> Tensor:
        """One pass on the batch and one on its mixture, each with its own backward pass."""
        clean = cross_entropy(victim, batch)
        clean.backward()
        mixed = self._mixed_loss(victim, batch)
        mixed.backward()
        return (clean + mixed).detach()

    def _mixed_loss(self, victim: nn.Module, batch: Batch) -> Tensor:
        generator = np.random.default_rng(batch.seed)
        layers = text_encoder(victim, self.name).encoder.layer
        layer = layers[generator.choice(self.layers(len(layers))) - 1]
        order = torch.from_numpy(generator.permutation(len(batch.labels))).to(batch.labels.device)
        weight = generator.beta(self.alpha, self.alpha)
        both = batch.rows.attention_mask * batch.rows.attention_mask[order]  # [batch, position]
        if self.mixup == "sentmix":
            both[:, 1:] = 0
        with edit(layer, lambda hidden: mixture(hidden, order, weight, both)):
            scores = logits(victim, batch)  # [batch, class]
        labels = F.one_hot(batch.labels, scores.shape[1]).float()
        labels = weight * labels + (1 - weight) * labels[order]  # [batch, class]
        return F.kl_div(scores.log_softmax(dim=1), labels, reduction="batchmean")


def mixture(hidden: Tensor, order: Tensor, weight: float, both: Tensor) -> Tensor:
    """Each text's hidden states mixed with those of another text.

    hidden    [batch, position, hidden]
    order     [batch], the other text of each
    weight    lambda, of the text itself
    both      [batch, position], 1 where both have a token; elsewhere the text stays as it is
    returns   [batch, position, hidden]
    """
    mixed = weight * hidden + (1 - weight) * hidden[order]
    return torch.where(both[:, :, None] > 0, mixed, hidden)


class Attacker(Protocol):
    """Makes adversarial examples for the training data."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything its results depend on, as JSON values; part of the training key."""

    def __call__(self, victim: nn.Module, examples: list[dict], seed: int) -> list[dict]:
        """The successful adversarial examples, `texts` and `label` as in the data."""


@dataclass(frozen=True)
class RecipeAttacker:
    """A recipe of `attacks`, as an attacker for `train`.

    attack    `attacks.attack`, or a function that takes and gives the same
    options   other keywords of it, such as query_budget
    """

    recipe: str
    task: "Task"
    resources: "Resources"
    attack: Callable[..., Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """Recipe, task, resources, options, and versions."""
        from mvp_skill.attack_inputs import made_of
        from mvp_skill.attack_recipes import NEEDS

        made = made_of(self.task, self.resources.fingerprints(NEEDS[self.recipe]), [])
        return {"recipe": self.recipe, "options": dict(self.options)} | made

    def __call__(self, victim: nn.Module, examples: list[dict], seed: int) -> list[dict]:
        """Attack all; those that failed, were skipped or raised are left out."""
        from mvp_skill.attacks import attack

        log = (self.attack or attack)(
            victim,
            examples,
            self.recipe,
            task=self.task,
            resources=self.resources,
            seed=seed,
            progress=False,
            **self.options,
        )
        succeeded = [record for record in log.records if record["outcome"] == "succeeded"]
        return [{"texts": r["attacked_texts"], "label": r["label"]} for r in succeeded]


def adversarial_examples(
    attacker: Attacker,
    victim: nn.Module,
    examples: "Dataset",
    num_adv: int,
    *,
    seed: int,
    epoch: int,
) -> list[dict]:
    """What one epoch adds to the training data: at most `num_adv` examples, attacked as it starts.

    The attacked examples are drawn anew in each epoch, without replacement, from the original data.
    """
    generator = np.random.default_rng(derived_seed(seed, "attacked", epoch))
    chosen = generator.choice(len(examples), min(num_adv, len(examples)), replace=False)
    rows = [
        {"texts": examples[int(i)]["texts"], "label": examples[int(i)]["label"]} for i in chosen
    ]
    return attacker(victim, rows, derived_seed(seed, "attack", epoch))


def check_attacker(objective: Any, attacker: Attacker | None) -> None:
    """BadInput unless AMDA has an attacker, and nothing else has one."""
    if (objective.name == "amda") != (attacker is not None):
        raise BadInput(
            "The objective 'amda' needs an attacker and no other objective takes one; call "
            f"train(..., attacker=RecipeAttacker(...)) with it, not with {objective.name!r}."
        )
