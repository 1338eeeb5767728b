"""One training loop for every victim and every objective, clean or adversarial.

AdamW with linear decay to 0 and no warm-up, clipped gradients, evaluation on the validation split
every fixed number of examples, patience, and at the end the weights with the best clean accuracy.
What a step minimises is the objective's business (`objectives`); the validation texts are never
perturbed, whatever the objective.

Source: Raman et al. 2023 and the authors' code.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from tqdm import tqdm

from mvp_skill.amda import Attacker, check_attacker
from mvp_skill.epochs import Place, TrainingData, places
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split, clean_accuracy, encoded
from mvp_skill.files import read_json, write_json
from mvp_skill.lpft import start_from_probe
from mvp_skill.seeding import denormals_flushed, repeatable
from mvp_skill.stored import check_storable, is_complete, load, save
from mvp_skill.train_config import TrainConfig
from mvp_skill.training_state import (
    STATE_FILE,
    TrainingState,
    TrainLog,
    differences,
    resume,
    training_key,
    training_parameters,
    write_state,
)
from mvp_skill.training_step import adamw, all_weights, training_step
from mvp_skill.weights import copy_of, set_weights, weights_of

if TYPE_CHECKING:  # importing them takes most of a second
    from datasets import Dataset, DatasetDict

LOGGER = logging.getLogger(__name__)
TRAINING_FILE = "training.json"


def train(
    victim: nn.Module,
    data: "DatasetDict",
    config: TrainConfig,
    folder: str | Path | None = None,
    *,
    attacker: Attacker | None = None,
    progress: bool = True,
    state_every_seconds: float = 60.0,
) -> TrainLog:
    """Train a victim in place on `data["train"]`; it ends with its best weights.

    Best by clean accuracy on `data["validation"]`; the first of equals wins. The same victim, data
    and config give the same weights, bit for bit, in every process on the same machine with the
    same number of threads; also if the process is killed in between.

        folder                where the trained victim is stored, and where a killed training
                              is resumed
        attacker              attacks training examples; for the objective "amda" only
        state_every_seconds   least time between two writings of what resuming needs
        raises                BadInput for unfit data, a victim or attacker that does not fit the
                              objective, or if the loss is not a number any more
    """
    check_attacker(config.objective, attacker)
    auxiliary = config.objective.auxiliary(victim, config.seed)
    splits = prepared(victim, data)
    parameters = training_parameters(victim, config, splits, attacker)
    key = training_key(parameters)
    folder = None if folder is None else Path(folder)
    if folder is not None:
        check_storable(victim)
        # From here on the folder does not hold what it said any more
        (folder / TRAINING_FILE).unlink(missing_ok=True)
    growing = TrainingData(victim, splits["train"], data["train"], config, attacker)
    run = _Run(victim, auxiliary, growing, splits["validation"], config, folder, key)
    with repeatable(), denormals_flushed(), torch.enable_grad():
        state = _optimise(run, progress, state_every_seconds)
    set_weights(victim, state.best, "the best checkpoint")
    victim.eval()
    log = TrainLog(key, state.history, state.seconds, [len(new) for new in state.added])
    if folder is not None:
        save(victim, folder)
        write_json(folder / TRAINING_FILE, {"parameters": parameters, "log": asdict(log)})
        (folder / STATE_FILE).unlink(missing_ok=True)
    return log


def train_or_load(
    folder: str | Path,
    victim: nn.Module,
    data: "DatasetDict",
    config: TrainConfig,
    *,
    attacker: Attacker | None = None,
    **options,
) -> tuple[nn.Module, TrainLog]:
    """The victim stored in `folder` if *all* parameters of its training are the same, else `train`.

    The parameters are: config, settings and initial weights of the victim, tokens and labels of
    training and validation data, what the attacker depends on, version of this package.

        victim     as `build_victim` gives it; it is trained in place if nothing can be reused
        attacker   as `train` takes it
        options    `progress` and `state_every_seconds` of `train`
        returns    the trained victim and its log
    """
    if holds_training(folder):
        log = stored_log(folder, victim, prepared(victim, data), config, attacker)
        if log is not None:
            return load(folder), log
    return victim, train(victim, data, config, folder, attacker=attacker, **options)


def holds_training(folder: str | Path) -> bool:
    """Whether a folder holds a victim whose training came to its end."""
    return (Path(folder) / TRAINING_FILE).exists() and is_complete(folder)


def stored_log(
    folder: str | Path,
    victim: nn.Module,
    splits: Mapping[str, Split],
    config: TrainConfig,
    attacker: Attacker | None = None,
) -> TrainLog | None:
    """How the victim in a folder was trained; None if not as asked for, on `prepared` splits."""
    parameters = training_parameters(victim, config, splits, attacker)
    stored = read_json(Path(folder) / TRAINING_FILE)
    if stored["parameters"] == parameters:
        return TrainLog(**stored["log"])
    changed = ", ".join(differences(stored["parameters"], parameters))
    LOGGER.warning("%s: other %s than the stored victim's; training anew", folder, changed)
    return None


def evaluate(victim: nn.Module, examples: "Dataset") -> float:
    """Clean accuracy on a split: the share of examples whose largest logit is that of the label."""
    return clean_accuracy(victim, encoded(victim, examples, "evaluation"))


def prepared(victim: nn.Module, data: "DatasetDict") -> dict[str, Split]:
    """Training and validation as the victim reads them; LPFT's last layer is fitted to them.

    `train` does so first, as initial weights are among the parameters of a training.
    """
    splits = {name: encoded(victim, data[name], name) for name in ("train", "validation")}
    start_from_probe(victim, splits)
    return splits


@dataclass(frozen=True)
class _Run:
    """What stays the same during a training."""

    victim: nn.Module
    auxiliary: nn.Module
    """Weights of the objective's own."""
    data: TrainingData
    validation: Split
    config: TrainConfig
    folder: Path | None
    key: str


def _optimise(run: _Run, progress: bool, state_every_seconds: float) -> TrainingState:
    """The loop itself, from the stored state (if there is one) to the last evaluation."""
    victim, config, folder = run.victim, run.config, run.folder
    optimizer = adamw(all_weights(victim, run.auxiliary), config)
    state = TrainingState()
    if folder is not None:
        state = resume(folder, run.key, victim, run.auxiliary, optimizer)
    device = next(victim.parameters()).device
    loss_sum, n_summed = torch.zeros((), device=device), 0  # on the device: nothing waits
    written = time.monotonic()
    started = written - state.seconds
    victim.train()
    bar = tqdm(
        desc=f"training {victim.settings.method}",
        total=config.epochs * len(run.data.split.records),
        initial=state.n_examples,
        unit=" examples",
        disable=not progress,
        mininterval=1,
    )
    steps = places(lambda epoch: run.data.of_epoch(epoch, state.added), config, state.step)
    # In this order: the first step of an epoch may cost an attack.
    while _goes_on(run, state) and (place := next(steps, None)) is not None:
        for group in optimizer.param_groups:
            group["lr"] = config.rate_at(place.done)
        loss, n_batch = _step(run, place, state.step, optimizer), len(place.batch)
        loss_sum += n_batch * loss
        n_summed += n_batch
        state.step += 1
        state.n_examples += n_batch
        bar.update(n_batch)
        since_due = state.n_examples % config.eval_every_examples
        if since_due >= n_batch and not place.last:
            continue
        _evaluate_into(state, victim, run.validation, loss_sum.item() / n_summed)
        loss_sum, n_summed = torch.zeros_like(loss_sum), 0
        bar.set_postfix(clean_acc=f"{state.best_acc:.3f}")
        state.seconds = time.monotonic() - started
        if folder is not None and time.monotonic() - written >= state_every_seconds:
            write_state(folder, run.key, state, victim, run.auxiliary, optimizer)
            written = time.monotonic()
    bar.close()
    return state


def _goes_on(run: _Run, state: TrainingState) -> bool:
    """Whether neither enough is reached, nor patience is at an end, nor the start given up."""
    config, half = run.config, run.config.epochs * len(run.data.split.records) / 2
    evaluated = state.history[-1]["n_examples"] if state.history else 0
    least = -math.inf if config.give_up_below is None else config.give_up_below
    if evaluated >= half and state.best_acc < least:
        return False
    return state.without_gain < config.patience and state.best_acc < config.enough


def _step(run: _Run, place: Place, step: int, optimizer: torch.optim.Optimizer) -> Tensor:
    """One step of the optimiser; the mean loss of the batch, still on the device."""
    return training_step(run.victim, run.auxiliary, place, run.config, step, optimizer)


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
