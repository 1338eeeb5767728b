"""What makes a training unique, and where it stands: enough to refuse, reuse or resume it.

One safetensors file holds a whole training between two evaluations: weights, best weights, the
objective's own weights, the optimiser's moments, and in its header the position, the history and
the examples that attacks added. Random numbers are derived from the seed and the step (`seeding`),
and the order of the data from the seed and the epoch, so that is all that a resumed run needs to
continue bit for bit.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill import __version__
from mvp_skill.insertion import Record
from mvp_skill.weights import (
    fingerprint,
    frozen_weights,
    read_tensors,
    set_weights,
    weights_of,
    write_tensors,
)

if TYPE_CHECKING:
    from pandas import DataFrame

LOGGER = logging.getLogger(__name__)
STATE_FILE = "training_state.safetensors"


@dataclass
class TrainingState:
    """Where a training stands."""

    step: int = 0
    n_examples: int = 0
    without_gain: int = 0
    """Evaluations since the best one."""
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    """One row per evaluation: n_examples, train_loss, clean_acc."""
    added: list[list[dict[str, Any]]] = field(default_factory=list)
    """Adversarial examples (texts, label) that joined before each epoch but the first."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights at the best evaluation."""

    @property
    def best_acc(self) -> float:
        """Best clean accuracy on validation so far; -1 before the first evaluation."""
        return max((row["clean_acc"] for row in self.history), default=-1.0)


@dataclass(frozen=True)
class TrainLog:
    """What a training did; stored beside the victim."""

    key: str
    """Hash of all parameters of the training: the name of the victim in other logs."""
    history: list[dict[str, float]]
    """One row per evaluation: n_examples (seen), train_loss, clean_acc (on validation)."""
    seconds: float
    n_added: list[int] = field(default_factory=list)
    """Adversarial examples that joined the training data before each epoch but the first (AMDA)."""

    @property
    def best(self) -> dict[str, float]:
        """The evaluation whose weights were kept: the first of the best."""
        return max(self.history, key=lambda row: row["clean_acc"])

    def to_frame(self) -> "DataFrame":
        """The history as a table."""
        import pandas

        return pandas.DataFrame(self.history)


def training_parameters(
    victim: nn.Module,
    config: Any,
    splits: dict[str, tuple[Sequence[Record], Tensor]],
    attacker: Any = None,
) -> dict[str, Any]:
    """Everything that changes the outcome of a training, as JSON values.

    Where backbone and data lie does not count, what is in them does. The texts count as the token
    ids they become, so that another tokenizer makes another training.
    """
    settings = asdict(victim.settings)
    del settings["backbone"]
    values = {
        "version": __version__,
        "config": asdict(config),
        "attacker": None if attacker is None else attacker.parameters,
        "victim": settings,
        "initial_weights": fingerprint(weights_of(victim) | frozen_weights(victim)),
        "template_ids": [t.ids.tolist() for t in victim.insertion.templates],
        **{name: _data_fingerprint(*split) for name, split in splits.items()},
    }
    return json.loads(json.dumps(values))


def training_key(parameters: dict[str, Any]) -> str:
    """sha256 of the parameters as canonical JSON."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(stored: dict, wanted: dict, prefix: str = "") -> list[str]:
    """Dotted names of the parameters that differ between two trainings."""
    names = []
    for name in sorted(stored.keys() | wanted.keys()):
        one, other = stored.get(name), wanted.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            names += differences(one, other, f"{prefix}{name}.")
        elif one != other:
            names.append(prefix + name)
    return names


def write_state(
    folder: Path,
    key: str,
    state: TrainingState,
    victim: nn.Module,
    auxiliary: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write the state atomically; an earlier one is replaced."""
    tensors = {f"weights/{name}": tensor for name, tensor in weights_of(victim).items()}
    tensors |= {f"auxiliary/{name}": tensor for name, tensor in weights_of(auxiliary).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
    position = {name: getattr(state, name) for name in vars(state) if name != "best"}
    write_tensors(folder / STATE_FILE, tensors, {"key": key, "position": json.dumps(position)})


def resume(
    folder: Path,
    key: str,
    victim: nn.Module,
    auxiliary: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> TrainingState:
    """Put all weights and the optimiser where a stored training with this key stands.

    A fresh state if the folder holds none, or one of another training (which is logged).
    """
    path = folder / STATE_FILE
    if not path.exists():
        return TrainingState()
    tensors, header = read_tensors(path)
    if header.get("key") != key:
        LOGGER.warning("%s belongs to a training with other parameters and is ignored", path)
        return TrainingState()
    set_weights(victim, _under("weights/", tensors), str(path))
    set_weights(auxiliary, _under("auxiliary/", tensors), str(path))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer/", tensors).items():
        index, _, moment = name.partition("/")
        moments.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    device = next(victim.parameters()).device
    best = {name: value.to(device) for name, value in _under("best/", tensors).items()}
    return TrainingState(**json.loads(header["position"]), best=best)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _data_fingerprint(records: Sequence[Record], labels: Tensor) -> str:
    digest = hashlib.sha256(labels.numpy().tobytes())
    for record in records:
        for ids in record:
            digest.update(len(ids).to_bytes(8, "big") + np.asarray(ids, dtype="<i8").tobytes())
    return digest.hexdigest()
