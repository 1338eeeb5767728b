"""Random numbers that depend on what they are for, never on what was drawn before.

A run derives one seed per purpose and place: `derived_seed(seed, "dropout", step)`. So a resumed
run draws what the uninterrupted one would have drawn, without any stored generator state, and a
change in one place (one more evaluation, another order) does not shift the numbers of another.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived_seed(*parts: int | str) -> int:
    """A seed in [0, 2**63) from whole numbers and names; the same in every process and version."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def repeatable() -> Iterator[None]:
    """Inside the block, the same seeds give the same bits on the same machine.

    Operations with a deterministic and a faster version use the deterministic one (on a GPU; on a
    CPU with a fixed number of threads they are the same). Leaves the caller's random numbers and
    settings as they were.
    """
    # cuBLAS reads it when it starts; without it torch refuses deterministic matrix products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        try:
            torch.use_deterministic_algorithms(True)
            torch.utils.deterministic.fill_uninitialized_memory = (
                False  # costs time, guards nothing
            )
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = fill


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Inside the block, numbers too small for the full precision of fp32 count as 0 on a CPU.

    The gradients of a victim that is sure of its batch are full of them, and a processor works on
    them many times slower: LPFT took four times as long.
    """
    before = bool(np.float32(1e-40) * np.float32(1) == 0)  # torch cannot be asked
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
