"""A model whose activations are there already, for what is done with them alone."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class Given(nn.Module):
    """A model of which only the activations are there: its passes cost nothing."""

    def __init__(self, activations: Sequence[Tensor], n_prompt: int):
        super().__init__()
        self.activations = activations  # of each layer [batch, position, neuron]
        self.ffn = nn.ModuleList(Reader(there.shape[2]) for there in activations)
        self.settings = SimpleNamespace(n_prompt=n_prompt, label_names=("negative", "positive"))

    def collate(self, records: Sequence) -> "Numbers":
        """Records are numbers of rows of the activations."""
        return Numbers([int(record.ids[0]) for record in records])

    def logits(self, rows: "Numbers") -> None:
        """Every layer reads its activations."""
        for module, there in zip(self.ffn, self.activations, strict=True):
            module(there[rows.numbers])


class Reader(nn.Module):
    """Where an output projection would be."""

    def __init__(self, n_neurons: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, n_neurons))

    def forward(self, there: Tensor) -> Tensor:
        """What it is given."""
        return there


class Numbers(SimpleNamespace):
    """Rows that are numbers only."""

    def __init__(self, numbers: list[int]):
        super().__init__(numbers=numbers, attention_mask=None)

    def to(self, device: torch.device) -> "Numbers":
        """They are wherever the model is."""
        return self


class Number(NamedTuple):
    """The record of a row."""

    ids: np.ndarray
    length: int
