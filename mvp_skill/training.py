"""One training loop for every victim.

AdamW with linear decay to 0 and no warm-up, clipped gradients, evaluation on the validation split
every fixed number of examples, patience, and at the end the weights with the best clean accuracy.

Source: Raman et al. 2023 and the authors' code.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from mvp_skill.batching import training_batches
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split, clean_accuracy, encoded
from mvp_skill.files import read_json, write_json
from mvp_skill.lpft import start_from_probe
from mvp_skill.seeding import derived_seed, repeatable
from mvp_skill.train_config import TrainConfig
from mvp_skill.training_state import (
    STATE_FILE,
    TrainingState,
    differences,
    resume,
    training_key,
    training_parameters,
    write_state,
)
from mvp_skill.victims import VICTIM_FILE, load_victim, save_victim
from mvp_skill.weights import copy_of, set_weights, weights_of

if TYPE_CHECKING:  # importing them takes most of a second
    from datasets import Dataset, DatasetDict
    from pandas import DataFrame

LOGGER = logging.getLogger(__name__)
TRAINING_FILE = "training.json"


@dataclass(frozen=True)
class TrainLog:
    """What a training did; stored beside the victim."""

    key: str
    """Hash of all parameters of the training: the name of the victim in other logs."""
    history: list[dict[str, float]]
    """One row per evaluation: n_examples (seen), train_loss, clean_acc (on validation)."""
    seconds: float

    @property
    def best(self) -> dict[str, float]:
        """The evaluation whose weights were kept: the first of the best."""
        return max(self.history, key=lambda row: row["clean_acc"])

    def to_frame(self) -> "DataFrame":
        """The history as a table."""
        import pandas

        return pandas.DataFrame(self.history)


def train(
    victim: nn.Module,
    data: "DatasetDict",
    config: TrainConfig,
    folder: str | Path | None = None,
    *,
    progress: bool = True,
    state_every_seconds: float = 60.0,
) -> TrainLog:
    """Train a victim in place on `data["train"]`; it ends with its best weights.

    Best by clean accuracy on `data["validation"]`; the first of equals wins. The same victim, data
    and config give the same weights, bit for bit, in every process on the same machine with the
    same number of threads; also if the process is killed in between.

        folder                where the trained victim is stored, and where a killed training
                              is resumed
        state_every_seconds   least time between two writings of what resuming needs
        raises                BadInput for unfit data or if the loss is not a number any more
    """
    splits = _prepared(victim, data)
    parameters = training_parameters(victim, config, splits)
    key = training_key(parameters)
    folder = None if folder is None else Path(folder)
    if folder is not None:  # from here on the folder does not hold what it said any more
        (folder / TRAINING_FILE).unlink(missing_ok=True)
    with repeatable():
        state = _optimise(victim, splits, config, folder, key, progress, state_every_seconds)
    set_weights(victim, state.best, "the best checkpoint")
    victim.eval()
    log = TrainLog(key, state.history, state.seconds)
    if folder is not None:
        save_victim(victim, folder)
        write_json(folder / TRAINING_FILE, {"parameters": parameters, "log": asdict(log)})
        (folder / STATE_FILE).unlink(missing_ok=True)
    return log


def train_or_load(
    folder: str | Path, victim: nn.Module, data: "DatasetDict", config: TrainConfig, **options
) -> tuple[nn.Module, TrainLog]:
    """The victim stored in `folder` if *all* parameters of its training are the same, else `train`.

    The parameters are: config, settings and initial weights of the victim, tokens and labels of
    training and validation data, version of this package.

        victim    as `build_victim` gives it; it is trained in place if nothing can be reused
        options   `progress` and `state_every_seconds` of `train`
        returns   the trained victim and its log
    """
    folder = Path(folder)
    if (folder / TRAINING_FILE).exists() and (folder / VICTIM_FILE).exists():
        splits = _prepared(victim, data)
        parameters = training_parameters(victim, config, splits)
        stored = read_json(folder / TRAINING_FILE)
        if stored["parameters"] == parameters:
            return load_victim(folder), TrainLog(**stored["log"])
        changed = ", ".join(differences(stored["parameters"], parameters))
        LOGGER.warning("%s: other %s than the stored victim's; training anew", folder, changed)
    return victim, train(victim, data, config, folder, **options)


def evaluate(victim: nn.Module, examples: "Dataset") -> float:
    """Clean accuracy on a split: the share of examples whose largest logit is that of the label."""
    return clean_accuracy(victim, encoded(victim, examples, "evaluation"))


def _prepared(victim: nn.Module, data: "DatasetDict") -> dict[str, Split]:
    """Training and validation as the victim reads them; LPFT's last layer is fitted to them.

    Fitted here, before the parameters of the training are taken: initial weights are among them.
    """
    splits = {name: encoded(victim, data[name], name) for name in ("train", "validation")}
    start_from_probe(victim, splits)
    return splits


def _optimise(
    victim: nn.Module,
    splits: dict[str, Split],
    config: TrainConfig,
    folder: Path | None,
    key: str,
    progress: bool,
    state_every_seconds: float,
) -> TrainingState:
    """The loop itself, from the stored state (if there is one) to the last evaluation."""
    optimizer = _optimizer(victim, config)
    state = TrainingState() if folder is None else resume(folder, key, victim, optimizer)
    n_examples = config.epochs * len(splits["train"].records)
    n_steps = config.epochs * math.ceil(len(splits["train"].records) / config.batch_size)
    device = next(victim.parameters()).device
    loss_sum, n_summed = torch.zeros((), device=device), 0  # on the device: nothing waits
    written = time.monotonic()
    started = written - state.seconds
    victim.train()
    bar = tqdm(
        desc=f"training {victim.settings.method}",
        total=n_examples,
        initial=state.n_examples,
        unit=" examples",
        disable=not progress,
        mininterval=1,
    )
    for batch in _batches(splits["train"], config, state.step):
        if state.without_gain >= config.patience:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - state.step / n_steps)
        loss = _step(victim, splits["train"], batch, config, state.step, optimizer)
        loss_sum += len(batch) * loss
        n_summed += len(batch)
        state.step += 1
        state.n_examples += len(batch)
        bar.update(len(batch))
        since_due = state.n_examples % config.eval_every_examples
        if since_due >= len(batch) and state.step < n_steps:
            continue
        _evaluate_into(state, victim, splits["validation"], loss_sum.item() / n_summed)
        loss_sum, n_summed = torch.zeros_like(loss_sum), 0
        bar.set_postfix(clean_acc=f"{state.best_acc:.3f}")
        state.seconds = time.monotonic() - started
        if folder is not None and time.monotonic() - written >= state_every_seconds:
            write_state(folder, key, state, victim, optimizer)
            written = time.monotonic()
    bar.close()
    return state


def _step(
    victim: nn.Module,
    split: Split,
    batch: np.ndarray,
    config: TrainConfig,
    step: int,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """One step of the optimiser; the mean loss of the batch, still on the device."""
    device = next(victim.parameters()).device
    torch.manual_seed(derived_seed(config.seed, "dropout", step))
    generator = np.random.default_rng(derived_seed(config.seed, "templates", step))
    rows = victim.collate([split.records[index] for index in batch], generator).to(device)
    labels = split.labels[batch].to(device, non_blocking=True)
    bf16 = config.trains_in_bf16(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        logits = victim.logits(rows)
    loss = F.cross_entropy(logits.float(), labels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(victim.parameters(), config.clip)
    optimizer.step()
    return loss.detach()


def _evaluate_into(
    state: TrainingState, victim: nn.Module, validation: Split, train_loss: float
) -> None:
    if not math.isfinite(train_loss):
        raise BadInput(
            f"The training loss is {train_loss} after {state.n_examples} examples; use a lower "
            "learning_rate or autocast='off'."
        )
    clean_acc = clean_accuracy(victim, validation)
    if clean_acc > state.best_acc:
        state.best, state.without_gain = copy_of(weights_of(victim)), 0
    else:
        state.without_gain += 1
    row = {"n_examples": state.n_examples, "train_loss": train_loss, "clean_acc": clean_acc}
    state.history.append(row)


def _optimizer(victim: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; vectors (biases, layer norms) do not decay."""
    parameters = [p for p in victim.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _batches(split: Split, config: TrainConfig, start: int) -> Iterator[np.ndarray]:
    """Batches of all epochs from step `start` on."""
    lengths = [record.length for record in split.records]
    per_epoch = math.ceil(len(lengths) / config.batch_size)
    for epoch in range(start // per_epoch, config.epochs):
        batches = training_batches(lengths, config.batch_size, seed=config.seed, epoch=epoch)
        yield from batches[max(0, start - epoch * per_epoch) :]
