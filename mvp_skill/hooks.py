"""Look at, change or keep what a module reads or gives out, in a `with`; nothing stays after it.

with edit(module, lambda hidden: hidden + delta), record(other) as outputs:
    victim.logits(rows)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def edit(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside the block the module gives out `change(output)`; of a tuple, the first is changed.

    The hook is gone when the block ends, also after an error. Gradients flow through `change`; a
    backward pass may come after the block.
    """

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return change(output[0]), *output[1:]
        return change(output)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def record(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the (first) output of each call of the module inside the block, with gradients."""
    outputs: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        outputs.append(output)
        return output

    with edit(module, keep):
        yield outputs


@contextmanager
def edit_input(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside the block the module reads `change(input)` in place of its first input.

    `change` returns another tensor and leaves the one it is given as it is: it may be stored, or be
    read by others. The hook is gone when the block ends, also after an error.
    """

    def hook(_module: nn.Module, inputs: tuple) -> tuple:
        return change(inputs[0]), *inputs[1:]

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def remembered(module: nn.Module) -> Iterator[None]:
    """Inside the block the module computes once, and gives out the same again at later calls.

    For passes that are equal up to there. It is as before when the block ends, also after an error.
    """
    compute, known = module.forward, []

    def forward(*args: Any, **kwargs: Any) -> Any:
        if not known:
            known.append(compute(*args, **kwargs))
        return known[0]

    own = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        if own is not None:
            module.forward = own


@contextmanager
def look_at_input(module: nn.Module, see: Callable[[Tensor], None]) -> Iterator[None]:
    """Inside the block `see(input)` is called before the module, with its first input.

    It sees what `edit_input` of blocks around this one has made of it.
    """

    def hook(_module: nn.Module, inputs: tuple) -> None:
        see(inputs[0])

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
