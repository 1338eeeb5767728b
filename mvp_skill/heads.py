"""Parts of freshly initialised heads."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from mvp_skill.seeding import derived_seed


def head_dropout(config: Any) -> nn.Dropout:
    """The dropout of a classification head: `classifier_dropout`, or else that of the encoder."""
    dropout = getattr(config, "classifier_dropout", None)
    return nn.Dropout(config.hidden_dropout_prob if dropout is None else dropout)


def initialise(layers: Iterable[nn.Linear], std: float, seed: int) -> None:
    """Draw the weights of layers from a normal distribution, by the seed alone; biases are 0."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "head"))
    for layer in layers:
        nn.init.normal_(layer.weight, std=std, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
