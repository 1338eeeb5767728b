"""How to train: a dozen lines of settings, checked when they are made."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch

from mvp_skill.amda import AMDA
from mvp_skill.checks import check_choice, check_count, check_number
from mvp_skill.embedding_perturbation import EmbeddingPerturbation
from mvp_skill.errors import BadInput
from mvp_skill.freelb import FreeLB
from mvp_skill.infobert import InfoBERT
from mvp_skill.objectives import Clean, Objective, Vocabulary
from mvp_skill.scales import AUTOCAST

SCHEDULES = ("linear", "constant")
OBJECTIVES: dict[str, type] = {
    "clean": Clean,
    "perturbation": EmbeddingPerturbation,
    "freelb": FreeLB,
    "infobert": InfoBERT,
    "amda": AMDA,
    "vocabulary": Vocabulary,
}


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training; the defaults are those of the authors' code.

    raises   BadInput for a value that cannot be meant
    """

    learning_rate: float = 1e-5
    """At the first step."""
    schedule: str = "linear"
    """"linear": the rate falls to 0 over all epochs; "constant": it stays (prompt tuning)."""
    batch_size: int = 8
    """Examples per step; MVP reads each of them once per template."""
    epochs: int = 20
    eval_every_examples: int = 8_000
    """In examples, not steps, and the same for all methods (theirs: 4 times as many for MVP)."""
    patience: int = 10
    """Evaluations without a better clean accuracy after which training stops."""
    enough: float = 1.0
    """Clean accuracy on validation with which training stops."""
    give_up_below: float | None = None
    """Training stops at half of its epochs if no evaluation was so good; None: it goes on."""
    weight_decay: float = 0.01
    """Not on biases and layer norms."""
    clip: float | None = 1.0
    """Largest norm of all gradients together; None for any."""
    seed: int = 0
    """Of data order, dropout, random templates and what the objective draws."""
    autocast: str = "off"
    """With "auto", bfloat16 in training where the hardware has it. Evaluation is always fp32."""
    objective: Objective | str = "clean"
    """What a step minimises: one of OBJECTIVES with settings of its own, or the name of one."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "eval_every_examples", "patience"):
            check_count(name, getattr(self, name), 1)
        check_count("seed", self.seed, 0)
        check_number("learning_rate", self.learning_rate, "above 0 and below 1", 0, 1)
        check_choice("schedule", self.schedule, SCHEDULES)
        if self.clip is not None:
            check_number("clip", self.clip, "above 0", 0, math.inf)
        for name in ("enough", "give_up_below"):
            if (value := getattr(self, name)) is not None and value != 1:
                check_number(name, value, "above 0 and at most 1", 0, 1)
        if self.weight_decay != 0:
            check_number("weight_decay", self.weight_decay, "at least 0 and below 1", 0, 1)
        check_choice("autocast", self.autocast, AUTOCAST)
        if isinstance(self.objective, type) or not hasattr(self.objective, "backward"):
            object.__setattr__(self, "objective", objective_named(self.objective))

    def rate_at(self, done: float) -> float:
        """The learning rate when a share `done` of all epochs is behind."""
        return self.learning_rate * (1 - done if self.schedule == "linear" else 1)

    def trains_in_bf16(self, device: torch.device) -> bool:
        """Whether training on this device uses bfloat16."""
        return self.autocast == "auto" and has_bf16(device)


def objective_named(name: str, /, **settings: Any) -> Objective:
    """The objective of that name with some of its settings changed; BadInput for unknown ones."""
    check_choice("objective", name, tuple(OBJECTIVES))
    allowed = [field.name for field in fields(OBJECTIVES[name]) if field.init]
    for setting in settings:
        if setting not in allowed:
            known = f"it has {', '.join(allowed)}" if allowed else "it has none"
            raise BadInput(f"The objective {name!r} has no setting {setting!r}; {known}.")
    return OBJECTIVES[name](**settings)


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # torch has no public name for this in all the versions we run on.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
