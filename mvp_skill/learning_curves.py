"""Learning curves: what victims make of ever more training examples.

sizes = sizes_of("25, 50, 100")
conditions = [at_size(condition, size, full=400, epochs=3) for size in sizes]

A victim that gets fewer examples reads them more often, so that all get about as many steps: else
a curve would show how short the training was, not how few the examples were.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from mvp_skill.conditions import Condition, numbers_of
from mvp_skill.errors import BadInput

MOST_EPOCHS = 20  # of the authors' code, there for every training


def sizes_of(given: int | str | Sequence[int]) -> tuple[int, ...]:
    """Training sizes, the smallest first: "25, 50, 100" or numbers.

    raises   BadInput for anything but whole numbers above 0, or fewer than two of them
    """
    sizes = sorted(set(numbers_of(given, "SIZES") or ()))
    if len(sizes) < 2 or sizes[0] < 1:
        raise BadInput(f"SIZES must be two training sizes or more, each at least 1, not {given!r}.")
    return tuple(sizes)


def epochs_for(size: int, full: int, epochs: int) -> int:
    """Passes over `size` examples that read about as many as `epochs` passes over `full` do.

    ceil(full / size) * epochs, at most MOST_EPOCHS; never fewer than `epochs`.
    """
    return max(epochs, min(MOST_EPOCHS, ceil(full / size) * epochs))


def at_size(condition: Condition, size: int, full: int, epochs: int) -> Condition:
    """The condition with `size` training examples, trained as long as with `full` of them.

    With `size` of `full` it is the condition itself, so that a victim of another experiment serves.
    """
    if size == full:
        return condition
    return replace(condition, n_train=size, epochs=epochs_for(size, full, epochs))


def enough(accuracy_at: dict[int, float], wanted: float) -> int | None:
    """The smallest size from which on the accuracy stays at `wanted` or above; None if none does.

    accuracy_at   training size to accuracy
    """
    found = None
    for size in sorted(accuracy_at, reverse=True):
        if accuracy_at[size] < wanted:
            break
        found = size
    return found
