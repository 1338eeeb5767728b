"""The examples of a split as a victim reads them, and its clean accuracy on them."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Record
from mvp_skill.prediction import predict_records

if TYPE_CHECKING:  # importing it takes most of a second
    from datasets import Dataset


class Split(NamedTuple):
    """The encoded examples of one split."""

    records: list[Record]
    labels: Tensor
    """[batch]"""


def clean_accuracy(victim: nn.Module, split: Split) -> float:
    """Clean accuracy: the share of examples whose largest logit is that of the label."""
    predictions = predict_records(victim, split.records).argmax(dim=-1)  # [batch]
    return (predictions == split.labels).double().mean().item()


def encoded(victim: nn.Module, examples: "Dataset", name: str) -> Split:
    """The examples as the victim reads them; BadInput if there are none or a label is unknown."""
    if not len(examples):
        raise BadInput(f"The {name} split is empty; ask for at least one example.")
    labels = torch.tensor(examples["label"][:])
    n_classes = len(victim.settings.label_names)
    if labels.min() < 0 or labels.max() >= n_classes:
        raise BadInput(
            f"The {name} split has labels from {labels.min()} to {labels.max()}; "
            f"{victim.settings.task} has the classes 0 to {n_classes - 1}."
        )
    return Split(victim.encode([tuple(texts) for texts in examples["texts"][:]]), labels)
