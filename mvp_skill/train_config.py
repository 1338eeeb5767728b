"""How to train: a dozen lines of settings, checked when they are made."""

import math
from dataclasses import dataclass
from typing import Any

import torch

from mvp_skill.errors import BadInput
from mvp_skill.scales import AUTOCAST


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training; the defaults are those of the authors' code.

    raises   BadInput for a value that cannot be meant
    """

    learning_rate: float = 1e-5
    """At the first step; it falls linearly to 0 over all epochs."""
    batch_size: int = 8
    """Examples per step; MVP reads each of them once per template."""
    epochs: int = 20
    eval_every_examples: int = 8_000
    """In examples, not steps, and the same for all methods (theirs: 4 times as many for MVP)."""
    patience: int = 10
    """Evaluations without a better clean accuracy after which training stops."""
    weight_decay: float = 0.01
    """Not on biases and layer norms."""
    clip: float = 1.0
    """Largest norm of all gradients together."""
    seed: int = 0
    """Of data order, dropout and random templates."""
    autocast: str = "off"
    """With "auto", bfloat16 in training where the hardware has it. Evaluation is always fp32."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "eval_every_examples", "patience"):
            _check_count(name, getattr(self, name), 1)
        _check_count("seed", self.seed, 0)
        _check_number("learning_rate", self.learning_rate, "above 0 and below 1", 0, 1)
        _check_number("clip", self.clip, "above 0", 0, math.inf)
        if self.weight_decay != 0:
            _check_number("weight_decay", self.weight_decay, "at least 0 and below 1", 0, 1)
        if self.autocast not in AUTOCAST:
            raise BadInput(f"Unknown autocast {self.autocast!r}; use {', '.join(AUTOCAST)}.")

    def trains_in_bf16(self, device: torch.device) -> bool:
        """Whether training on this device uses bfloat16."""
        return self.autocast == "auto" and has_bf16(device)


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # torch has no public name for this in all the versions we run on.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{name} must be a whole number of at least {least}, not {value!r}.")


def _check_number(name: str, value: Any, allowed: str, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low < value < high:
        raise BadInput(f"{name} must be a number {allowed}, not {value!r}.")
