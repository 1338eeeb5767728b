"""What a victim costs: seconds, and what its encoder reads, of training steps and of answers.

    steps = {name: next_step(victim, split, config) for name, victim in victims.items()}
    ratios(interleaved(steps, rounds=15), "mlp_ft")      # {"mlp_ft": 1.0, "mvp": 3.9, ...}

Victims are compared in turn, on the same batches: what else the machine does falls on all alike.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.checks import check_count
from mvp_skill.epochs import places
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.hooks import edit
from mvp_skill.seeding import denormals_flushed, repeatable
from mvp_skill.train_config import TrainConfig
from mvp_skill.training_step import adamw, all_weights, training_step
from mvp_skill.victim_parts import word_embeddings


def next_step(victim: nn.Module, split: Split, config: TrainConfig) -> Callable[[], Tensor]:
    """A function that does the victim's next training step each time it is called.

    It is the step of `train`; after the last batch of the last epoch the first one comes again.
    Which examples are in a batch follows from their lengths and the seed alone, so victims with
    the same texts, seed and batch size get the same batches.
    """
    auxiliary = config.objective.auxiliary(victim, config.seed)
    optimizer = adamw(all_weights(victim, auxiliary), config)
    steps = enumerate(cycle(list(places(lambda epoch: split, config, 0))))

    def step() -> Tensor:
        number, place = next(steps)
        victim.train()
        with repeatable(), denormals_flushed():  # as in a training
            return training_step(victim, auxiliary, place, config, number, optimizer)

    return step


def busy_seconds() -> float:
    """A clock: on a GPU the time, when it has done all it was given; on a CPU the time this
    process has computed, all threads together, so that waiting for other programs counts nothing.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def interleaved(
    actions: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = busy_seconds,
) -> dict[str, np.ndarray]:
    """Seconds of each action in each round, [round]; a round does all of them, one after another.

    Every other round goes backwards, so that none always follows the same one. A round before
    the first is not counted: what is done for the first time takes longer.

        raises   BadInput for no rounds
    """
    check_count("rounds", rounds, 1)
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name in list(actions)[:: 1 if number % 2 else -1]:
            started = clock()
            actions[name]()
            taken[name].append(clock() - started)
    return {name: np.array(seconds[1:]) for name, seconds in taken.items()}


def ratios(seconds: Mapping[str, np.ndarray], base: str) -> dict[str, float]:
    """Median over rounds of each action's seconds over those of `base` in the same round.

    raises   BadInput if `base` was not measured
    """
    if base not in seconds:
        raise BadInput(f"{base!r} was not measured, so nothing can be compared with it.")
    return {name: float(np.median(own / seconds[base])) for name, own in seconds.items()}


@dataclass
class Read:
    """What an encoder has read."""

    passes: int = 0
    """Forward passes."""
    rows: int = 0
    """Rows of all passes: one per text, or one per text and template."""
    tokens: int = 0
    """Positions of all rows, padding included."""


@contextmanager
def counted(victim: nn.Module) -> Iterator[Read]:
    """Counts what the victim's encoder reads inside the block."""
    read = Read()

    def count(words: Tensor) -> Tensor:
        read.passes += 1
        read.rows += words.shape[0]
        read.tokens += words.shape[:2].numel()
        return words

    with edit(word_embeddings(victim), count):  # [row, position, hidden]
        yield read
