"""The examples of a split as a victim reads them, and its clean accuracy on them."""

import hashlib
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
    return is_right(victim, split).double().mean().item()


def is_right(victim: nn.Module, split: Split) -> Tensor:
    """Whether the largest logit of each example is that of its label, [batch]."""
    return predict_records(victim, split.records).argmax(dim=-1) == split.labels


def split_digest(split: Split) -> str:
    """Of the tokens and labels of a split, in their order: for names of files."""
    digest = hashlib.sha256(repr(split.labels.tolist()).encode())
    for record in split.records:
        digest.update(b"/" + record.ids.tobytes())
    return digest.hexdigest()


def certainty(logits: Tensor, labels: Tensor) -> dict[str, float | None]:
    """How sure a victim is of the examples that it has right.

    logits          [batch, class]
    labels          [batch]
    n_right         examples with the largest logit at the label
    median_margin   of those: logit of the label minus the best other one; None if there is none
    blind_share     of those: the share whose 1 - p(label) is exactly 0 in 32 bits. An attack
                    that ranks words by it sees nothing there. None if there is none
    """
    label = labels[:, None]  # [batch, 1]
    others = logits.scatter(1, label, -torch.inf).amax(dim=1)  # [batch]
    margin = logits.gather(1, label)[:, 0] - others  # [batch]
    blind = 1 - logits.float().softmax(dim=1).gather(1, label)[:, 0] == 0  # [batch]
    right = margin > 0  # [batch]
    found = margin[right].median().item(), blind[right].float().mean().item()
    median, share = found if right.any() else (None, None)
    return {"n_right": int(right.sum()), "median_margin": median, "blind_share": share}


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
