"""One step of a training: what the loop repeats, and what a step costs is measured on."""

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.epochs import Place
from mvp_skill.objectives import Batch
from mvp_skill.seeding import derived_seed
from mvp_skill.train_config import TrainConfig


def training_step(
    victim: nn.Module,
    auxiliary: nn.Module,
    place: Place,
    config: TrainConfig,
    step: int,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """One step of the optimiser; the mean loss of the batch, still on the device.

    auxiliary   weights of the objective's own
    step        its number in the training, from which all that it draws follows
    """
    device = next(victim.parameters()).device
    torch.manual_seed(derived_seed(config.seed, "dropout", step))
    generator = np.random.default_rng(derived_seed(config.seed, "templates", step))
    rows = victim.collate([place.split.records[index] for index in place.batch], generator)
    batch = Batch(
        rows.to(device),
        place.split.labels[place.batch].to(device, non_blocking=True),
        seed=derived_seed(config.seed, "objective", step),
        bf16=config.trains_in_bf16(device),
    )
    optimizer.zero_grad()
    loss = config.objective.backward(victim, batch, auxiliary)
    if config.clip is not None:
        nn.utils.clip_grad_norm_(all_weights(victim, auxiliary), config.clip)
    optimizer.step()
    return loss


def all_weights(victim: nn.Module, auxiliary: nn.Module) -> list[nn.Parameter]:
    """All that trains."""
    return [*victim.parameters(), *auxiliary.parameters()]


def adamw(weights: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; vectors (biases, layer norms) do not decay."""
    weights = [weight for weight in weights if weight.requires_grad]
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
