"""How much memory a computation needs, counted tensor by tensor."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


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
    """Those with memory of their own; a sparse one is made of two that count."""
    leaves = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return [leaf for leaf in leaves if leaf.layout is torch.strided]


def _place(tensor: Tensor) -> int:
    """What tells storages apart; the tensors that share one have the same."""
    return tensor.untyped_storage()._cdata
