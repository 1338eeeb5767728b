"""Conditions: what an experiment compares, each a victim with everything that makes it.

    Condition("mini_films", "mvp_adv", seed=1)
    grid(["mini_films", "mini_news"], ["mlp_ft", "mvp"], seeds=(0, 1, 2))     # 12 conditions

A victim's name says how it is adapted *and* trained: "mlp_ft" and "freelb" are both an MLP-FT, the
second one trained by FreeLB++.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from mvp_skill.errors import BadInput
from mvp_skill.scales import Scale, closest


@dataclass(frozen=True)
class Making:
    """How a victim of some name is built and trained."""

    method: str
    objective: str = "clean"
    pretrained: bool = True
    training_templates: str = "all"
    attacked_by: str | None = None
    """The attack whose successes join the training data."""


VICTIMS: dict[str, Making] = {
    "mlp_ft": Making("mlp_ft"),
    "mvp": Making("mvp"),
    "mlp_ft_adv": Making("mlp_ft", objective="perturbation"),
    "mvp_adv": Making("mvp", objective="perturbation"),
    "freelb": Making("mlp_ft", objective="freelb"),
    "infobert": Making("mlp_ft", objective="infobert"),
    "amda": Making("mlp_ft", objective="amda", attacked_by="textfooler"),
    "lpft_dense": Making("lpft_dense"),
    "projectcls": Making("projectcls"),
    "lpft_sparse": Making("lpft_sparse"),
    "clsprompt": Making("clsprompt"),
    "mvp_sampled": Making("mvp", training_templates="one"),
    "mlp_ft_untrained": Making("mlp_ft", pretrained=False),
    "clsprompt_untrained": Making("clsprompt", pretrained=False),
    "mvp_untrained": Making("mvp", pretrained=False),
}


@dataclass(frozen=True)
class Condition:
    """One victim of an experiment. What is None is as the scale says.

    raises   BadInput for an unknown victim
    """

    task: str
    victim: str
    seed: int = 0
    backbone: str | None = None
    template_variant: str = "default"
    label_words: str = "default"
    n_train: int | None = None
    epochs: int | None = None

    def __post_init__(self) -> None:
        making_of(self.victim)

    @property
    def making(self) -> Making:
        """How it is built and trained."""
        return VICTIMS[self.victim]

    @property
    def variant(self) -> str:
        """What sets it apart from others of its task, victim and seed: "label_words=random"."""
        usual = {"template_variant": "default", "label_words": "default"}
        named = ("backbone", "template_variant", "label_words", "n_train")
        return " ".join(
            f"{name}={getattr(self, name)}"
            for name in named
            if getattr(self, name) not in (None, usual.get(name))
        )

    def folder_name(self, scale: Scale, data_dir: str | None) -> str:
        """Where its victim is stored: readable, and unique for all that it is made of."""
        loop = ("batch_size", "epochs", "eval_every_examples", "patience", "learning_rate")
        made_of = asdict(self) | {name: getattr(scale, name) for name in loop}
        made_of |= {"objectives": scale.objectives, "data_dir": data_dir, "scale": scale.name}
        made_of |= {name: getattr(scale, name) for name in ("backbone", "n_train", "n_validation")}
        text = json.dumps(made_of | {"condition": asdict(self)}, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.task}-{self.victim}-s{self.seed}-{digest}"


def making_of(victim: str) -> Making:
    """How a victim of that name is made; BadInput with the allowed names if there is none."""
    if victim not in VICTIMS:
        near = closest(str(victim), list(VICTIMS))
        raise BadInput(f"Unknown victim {victim!r}{near}: use {', '.join(VICTIMS)}.")
    return VICTIMS[victim]


def grid(
    tasks: Iterable[str], victims: Iterable[str], seeds: Iterable[int] = (0,), **others: Any
) -> list[Condition]:
    """Every victim on every task with every seed; `others` are the same for all.

    Task by task, and in it seed by seed, so that a killed experiment leaves whole comparisons.
    """
    found = product(names_of(tasks), seeds, names_of(victims))
    return [Condition(task, victim, seed, **others) for task, seed, victim in found]


def names_of(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """A list of names; text with commas is one, too: "mini_films,mini_news". None has none."""
    if given is None:
        return ()
    names = given.split(",") if isinstance(given, str) else given
    return tuple(str(name).strip() for name in names)


def numbers_of(given: int | str | Sequence[int] | None, name: str) -> tuple[int, ...] | None:
    """A list of whole numbers, such as seeds: "0, 1, 2", (0, 1, 2) or one number; None is None.

    name     what they are called in the message
    raises   BadInput for text with something else in it
    """
    if given is None or isinstance(given, int):
        return None if given is None else (given,)
    parts = names_of(given) if isinstance(given, str) else given
    if not parts or any(isinstance(part, str) and not part.isdigit() for part in parts):
        raise BadInput(
            f'{name} must be whole numbers with commas between, as "0, 1", not {given!r}.'
        )
    return tuple(int(part) for part in parts)
