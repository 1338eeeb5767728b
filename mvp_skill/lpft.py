"""LPFT: fine-tuning that starts from a linear probe, so that no weight of the head is random.

    lpft_sparse   ProjectCLS whose linear layer is the probe, on tanh(state of `<s>`)
    lpft_dense    MLP-FT whose last layer is the probe, on tanh(dense(state of `<s>`)); dense is
                  random, as in MLP-FT

The probe is a logistic regression on what that layer reads, taken in evaluation mode and in order.
Training then starts where the probe ends: before its first step the victim predicts what the probe
does.

Source: Raman et al. 2023; linear probing before fine-tuning: Kumar et al. 2022.
"""

import copy
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.prediction import in_batches
from mvp_skill.seeding import repeatable
from mvp_skill.weights import fingerprint, weights_of

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from mvp_skill.evaluation import Split

PROBED = ("lpft_sparse", "lpft_dense")
# All three from the authors' code; the strength of regularisation with the best accuracy is kept.
STRENGTHS = np.logspace(-1, 2, 50)
MAX_ITERATIONS = 500
RANDOM_STATE = 0


def start_from_probe(victim: nn.Module, splits: "dict[str, Split]") -> None:
    """Give LPFT's last layer the weights of the probe; leaves victims of other methods alone.

    Fitting is the slow part: a layer that is already the probe on the very same features stays.

    splits   train, on which the probe is fitted, and validation, which chooses its strength
    raises   BadInput if no training example has some class
    """
    if victim.settings.method not in PROBED:
        return
    check_classes(victim.settings.label_names, splits["train"].labels)
    given = {}
    with repeatable():
        for name in ("train", "validation"):
            given[f"{name} features"] = in_batches(victim, splits[name].records, victim.features)
            given[f"{name} labels"] = splits[name].labels
    if getattr(victim, "probe", None) == fingerprint(given | weights_of(victim.out_proj)):
        return
    weight, bias = layer_of(best_probe(*(tensor.numpy() for tensor in given.values())))
    with torch.no_grad():
        victim.out_proj.weight.copy_(weight)
        victim.out_proj.bias.copy_(bias)
    victim.probe = fingerprint(given | weights_of(victim.out_proj))


def check_classes(label_names: tuple[str, ...], labels: Tensor) -> None:
    """BadInput naming the classes that have no example: a probe has no weights for them."""
    missing = sorted(set(range(len(label_names))) - set(labels.tolist()))
    if missing:
        raise BadInput(
            f"LPFT's probe needs training examples of every class, and there is none of "
            f"{', '.join(label_names[index] for index in missing)}; ask for more (N_TRAIN)."
        )


def best_probe(
    features: np.ndarray,
    labels: np.ndarray,
    validation_features: np.ndarray,
    validation_labels: np.ndarray,
) -> "LogisticRegression":
    """The logistic regression with the best validation accuracy; of equals, the first strength.

    features   [batch, hidden]
    labels     [batch]
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(max_iter=MAX_ITERATIONS, random_state=RANDOM_STATE, warm_start=True)
    best, best_acc = None, -1.0
    for strength in STRENGTHS:
        probe.set_params(C=strength)
        with warnings.catch_warnings():  # the authors stop after MAX_ITERATIONS too
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(features, labels)
        accuracy = probe.score(validation_features, validation_labels)
        if accuracy > best_acc:
            best, best_acc = copy.deepcopy(probe), accuracy
    return best


def layer_of(probe: "LogisticRegression") -> tuple[Tensor, Tensor]:
    """Weight [class, hidden] and bias [class] of a linear layer that predicts what the probe does.

    For two classes the probe has one row w, which points to class 1: the layer gets -w and +w.
    """
    weight, bias = torch.tensor(probe.coef_), torch.tensor(probe.intercept_)
    if len(probe.classes_) == 2:
        weight, bias = torch.cat([-weight, weight]), torch.cat([-bias, bias])
    return weight.float(), bias.float()
