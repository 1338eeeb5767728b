"""Which examples each step of a training reads."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn

from mvp_skill.amda import Attacker, adversarial_examples
from mvp_skill.batching import training_batches
from mvp_skill.evaluation import Split
from mvp_skill.train_config import TrainConfig

if TYPE_CHECKING:  # importing it takes most of a second
    from datasets import Dataset


class Place(NamedTuple):
    """One step of a training."""

    split: Split
    batch: np.ndarray
    """[batch], indices into the split"""
    done: float
    """Share of the training before this step, in [0, 1)."""
    last: bool


def places(
    split_of_epoch: Callable[[int], Split], config: TrainConfig, start: int
) -> Iterator[Place]:
    """The steps of all epochs from step `start` on; an epoch's split is asked for as it begins."""
    first = 0  # step of the epoch's first batch
    for epoch in range(config.epochs):
        split = split_of_epoch(epoch)
        lengths = [record.length for record in split.records]
        n_batches = math.ceil(len(lengths) / config.batch_size)
        if start < first + n_batches:
            batches = training_batches(lengths, config.batch_size, seed=config.seed, epoch=epoch)
            n_steps = config.epochs * n_batches
            for index in range(max(0, start - first), n_batches):
                done = epoch * n_batches + index
                yield Place(split, batches[index], done / n_steps, done + 1 == n_steps)
        first += n_batches


@dataclass(frozen=True)
class TrainingData:
    """The training examples, which grow from epoch to epoch if there is an attacker."""

    victim: nn.Module
    split: Split
    """The examples as the victim reads them."""
    examples: "Dataset"
    """The same as texts."""
    config: TrainConfig
    attacker: Attacker | None

    def of_epoch(self, epoch: int, added: list[list[dict]]) -> Split:
        """All examples of an epoch.

        added   what joined before epochs 1, 2, ...; if what joins before this one is missing, the
                attacker makes it with the victim as it is now, and it is appended
        """
        if self.attacker is None or epoch == 0:
            return self.split
        if len(added) < epoch:
            added.append(self._attacked(epoch))
        new = [example for examples in added[:epoch] for example in examples]
        records = self.victim.encode([tuple(example["texts"]) for example in new])
        labels = torch.tensor([example["label"] for example in new], dtype=torch.long)
        return Split(self.split.records + records, torch.cat([self.split.labels, labels]))

    def _attacked(self, epoch: int) -> list[dict]:
        return adversarial_examples(
            self.attacker,
            self.victim,
            self.examples,
            self.config.objective.num_adv,
            seed=self.config.seed,
            epoch=epoch,
        )
