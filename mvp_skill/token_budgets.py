"""How many tokens a batch without gradients holds: measured on the device while it works.

A batch that is too small wastes the start of a pass, one that is too large falls out of a
processor's cache or does not fit into a GPU's memory.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

SIZES = {"cpu": (512, 1_024, 2_048, 4_096), "cuda": (8_192, 32_768, 131_072)}
TRIALS = 3  # full batches of each size; the middle one counts
FULL = 0.8  # of the tokens asked for; a batch with fewer says nothing about the size


class TokenBudget:
    """The tokens, with padding, of one batch.

    At first each size is tried on batches that are wanted anyway; then the fastest stays. Which one
    that is changes speed and memory, not results: see `batching.steady_batches`.

    sizes   tokens to choose from
    """

    def __init__(self, sizes: tuple[int, ...]):
        self.sizes = sorted(sizes)
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
        sizes = [size for size in self._untried() if FULL * size <= n_tokens <= size]
        if not sizes:
            yield
            return
        start = _now(device)
        yield
        self._rates[sizes[0]].append(n_tokens / (_now(device) - start))

    def too_large(self, n_tokens: int) -> None:
        """A batch of so many tokens did not fit into memory: only smaller ones from now on."""
        self.sizes = [size for size in self.sizes if size < n_tokens] or [max(1, n_tokens // 2)]

    def _untried(self) -> list[int]:
        more_than_one = len(self.sizes) > 1
        return [size for size in self.sizes if more_than_one and len(self._rates[size]) < TRIALS]


def budget_of(kind: str, model: nn.Module) -> TokenBudget:
    """The budget of a model: one per process for all of its kind and size, measured once.

    kind   what the model does, such as "victim"
    """
    parameters = list(model.parameters())
    return _budget(kind, parameters[0].device.type, sum(p.numel() for p in parameters))


@cache
def _budget(kind: str, device: str, n_parameters: int) -> TokenBudget:
    return TokenBudget(SIZES.get(device, SIZES["cpu"]))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
