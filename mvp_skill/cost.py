"""What a victim costs: seconds, rows read and memory, of training steps and of reading texts.

    steps = {name: next_step(victim, split, config) for name, victim in victims.items()}
    ratios(interleaved(steps, rounds=15), "mlp_ft")      # {"mlp_ft": 1.0, "mvp": 3.9, ...}

Victims are compared in turn, on the same batches: what else the machine does falls on all alike.
"""

import time
import weakref
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mvp_skill.checks import check_count
from mvp_skill.epochs import places
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.hooks import record
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


class Read(NamedTuple):
    """What the encoder read during an action."""

    passes: int
    """Forward passes."""
    rows: int
    """Rows of all passes: one per text, or one per text and template."""
    tokens: int
    """Positions of all rows, padding included."""


def read_by(victim: nn.Module, action: Callable[[], Any]) -> Read:
    """How much the victim's encoder reads during an action."""
    with record(word_embeddings(victim)) as looked_up:  # [row, position, hidden] each
        action()
    sizes = [words.shape[:2] for words in looked_up]
    return Read(len(sizes), sum(size[0] for size in sizes), sum(map(np.prod, sizes)))


class Memory(TorchDispatchMode):
    """Counts the tensors that are made inside the block, by forward and backward passes.

        with Memory() as memory:
            step()
        memory.peak_bytes

    Exact and the same on every machine, as no allocator is asked. What was there before (weights,
    the optimiser's moments) does not count, nor what a kernel takes for itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak_bytes = 0
        """Most bytes at one time; what several tensors share counts once."""
        self.shapes: set[tuple[int, ...]] = set()
        """Of all tensors."""
        self._bytes = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        """Called by torch with every operation."""
        made = function(*args, **(kwargs or {}))
        given = {_place(tensor) for tensor in _tensors((args, kwargs))}
        for tensor in _tensors(made):
            if _place(tensor) not in given:  # neither a view nor changed in place
                self._count(tensor)
        return made

    def _count(self, tensor: Tensor) -> None:
        self.shapes.add(tuple(tensor.shape))
        storage, place = tensor.untyped_storage(), _place(tensor)
        if place in self._alive:
            return
        self._alive.add(place)
        self._bytes += storage.nbytes()
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        weakref.finalize(storage, self._release, place, storage.nbytes())

    def _release(self, place: int, n_bytes: int) -> None:
        self._alive.discard(place)
        self._bytes -= n_bytes


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _place(tensor: Tensor) -> int:
    """What tells storages apart; the tensors that share one have the same."""
    return tensor.untyped_storage()._cdata
