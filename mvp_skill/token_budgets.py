"""How many tokens a batch without gradients holds: measured on the device while it works.

A batch that is too small wastes the start of a pass, one that is too large falls out of a
processor's cache or does not fit into a GPU's memory.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn

SIZES = {"cpu": (512, 1_024, 2_048, 4_096), "cuda": (8_192, 32_768, 131_072)}
TRIALS = 3  # full batches of each size; the middle one counts
MOST_BYTES = 2**30  # that one pass gives out
FULL = 0.8  # of the tokens asked for; a batch with fewer says nothing about the size


class TokenBudget:
    """The tokens, with padding, of one batch.

    At first each size is tried on batches that are wanted anyway; then the fastest stays. Which one
    that is changes speed and memory, not results: see `batching.steady_batches`.

    sizes   tokens to choose from
    """

    def __init__(self, sizes: tuple[int, ...]):
        self.sizes = sorted(sizes)
        self.latest = 0  # tokens of the last batch
        self._rates: dict[int, list[float]] = defaultdict(list)  # tokens per second

    @property
    def chosen(self) -> int:
        """The fastest size so far; the smallest one if nothing is known."""
        known = {
            size: statistics.median(self._rates[size]) for size in self.sizes if self._rates[size]
        }
        return max(known, key=known.__getitem__) if known else self.sizes[0]

    def tokens(self, waiting: int) -> int:
        """The tokens that the next batch may have.

        waiting   tokens there are; a size that they do not fill cannot be measured
        """
        for size in self._untried():
            if size <= waiting:
                return size
        return self.chosen

    @contextmanager
    def timed(self, n_tokens: int, device: torch.device) -> Iterator[None]:
        """Around the pass of a batch of so many tokens, padding included."""
        self.latest = n_tokens
        sizes = [size for size in self._untried() if FULL * size <= n_tokens <= size]
        if not sizes:
            yield
            return
        start = _now(device)
        yield
        self._rates[sizes[0]].append(n_tokens / (_now(device) - start))

    def in_halves(self, compute: Callable[[Sequence], Any], items: Sequence) -> list[Any]:
        """What `compute` makes of a batch; of its halves one by one if it does not fit into memory.

        Then only smaller batches are asked for from now on.

        compute   makes one timed pass
        raises    torch.OutOfMemoryError if a single item does not fit
        """
        try:
            return [compute(items)]
        except torch.OutOfMemoryError:
            if len(items) == 1:
                raise
        self.too_large(self.latest)
        half = len(items) // 2
        return self.in_halves(compute, items[:half]) + self.in_halves(compute, items[half:])

    def too_large(self, n_tokens: int) -> None:
        """A batch of so many tokens did not fit into memory."""
        self.sizes = [size for size in self.sizes if size < n_tokens] or [max(1, n_tokens // 2)]

    def _untried(self) -> list[int]:
        more_than_one = len(self.sizes) > 1
        return [size for size in self.sizes if more_than_one and len(self._rates[size]) < TRIALS]


def budget_of(kind: str, model: nn.Module, numbers_per_token: int = 1) -> TokenBudget:
    """The budget of a model: one per process for all of its kind and size, measured once.

    kind                what the model does, such as "victim"
    numbers_per_token   that a pass gives out, such as the size of a vocabulary; a batch may have
                        MOST_BYTES of them
    """
    parameters = list(model.parameters())
    n_parameters = sum(parameter.numel() for parameter in parameters)
    return _budget(kind, parameters[0].device.type, n_parameters, numbers_per_token)


@cache
def _budget(kind: str, device: str, n_parameters: int, numbers_per_token: int) -> TokenBudget:
    most = max(1, MOST_BYTES // (4 * numbers_per_token))
    usual = SIZES.get(device, SIZES["cpu"])
    return TokenBudget(tuple(size for size in usual if size <= most) or (most,))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
