"""Parts of a split: halves to rank neurons on and to test them on, and samples of a given size.

    ranking, testing = halves(validation, seed=0)
    for sample in samples_like(adversarial, ranking, n_draws=5, seed=0):
        ...                                     # what small numbers of examples alone do
    fewer = sample_of(testing, 64, seed=0)      # as if the half were smaller

Who ranks neurons and suppresses them on the same examples is selecting on the test data.
"""

import torch
from torch import Tensor

from mvp_skill.checks import check_count
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.seeding import derived_seed


def halves(split: Split, seed: int) -> tuple[Split, Split]:
    """Two random halves, each class cut in half; the order of the rows stays.

    Of a class with an odd number of examples, the spare one goes to either half in turn, so the
    halves are of equal size or differ by one.

        raises   BadInput if a class has fewer than two examples
    """
    first: list[Tensor] = []
    n_spare = 0
    for label, examples in _by_class(split):
        if len(examples) < 2:
            raise BadInput(f"Class {label} has {len(examples)} example; halves need two or more.")
        n = (len(examples) + (n_spare + 1) % 2) // 2
        n_spare += len(examples) % 2
        first.append(_drawn(examples, n, seed, "halves", label))
    in_first = torch.zeros(len(split.labels), dtype=torch.bool)
    in_first[torch.cat(first)] = True
    return part_of(split, in_first), part_of(split, ~in_first)


def samples_like(like: Split, split: Split, n_draws: int = 5, seed: int = 0) -> list[Split]:
    """Random samples of a split with as many examples of each class as another split has.

    A predictivity from n examples may only be compared with one from n examples of the same
    classes. Each sample is without replacement; different samples share examples.

        like     such as adversarial data
        split    such as clean data
        raises   BadInput if it has too few examples of a class
    """
    check_count("n_draws", n_draws, 1)
    wanted = {label: len(examples) for label, examples in _by_class(like)}
    there = {label: len(examples) for label, examples in _by_class(split)}
    if any(there.get(label, 0) < n for label, n in wanted.items()):
        raise BadInput(
            f"Samples of {wanted} examples per class cannot be drawn from {there}; give a larger "
            "split."
        )
    return [_sample(split, wanted, seed, draw) for draw in range(n_draws)]


def sample_of(split: Split, n: int | None, seed: int = 0) -> Split:
    """A random sample without replacement with the class shares of the split; its order stays.

    Each class has its share of n, rounded down; what is left goes, one each, to those that lost
    most by rounding (of equals, the lower class first).

        n        examples; the whole split if it has no more, or for None
        raises   BadInput for a count below 1
    """
    if n is not None:
        check_count("n", n, 1)
    total = len(split.labels)
    if n is None or n >= total:
        return split
    there = {label: len(examples) for label, examples in _by_class(split)}
    wanted = {label: n * count // total for label, count in there.items()}
    by_loss = sorted(there, key=lambda label: -(n * there[label] % total))  # stable
    for label in by_loss[: n - sum(wanted.values())]:
        wanted[label] += 1
    return _sample(split, wanted, seed, 0)


def part_of(split: Split, chosen: Tensor) -> Split:
    """The examples that are chosen, bool [batch]."""
    numbers = chosen.nonzero()[:, 0].tolist()
    return Split([split.records[number] for number in numbers], split.labels[chosen])


def _sample(split: Split, wanted: dict[int, int], seed: int, draw: int) -> Split:
    chosen = torch.zeros(len(split.labels), dtype=torch.bool)
    for label, examples in _by_class(split):
        chosen[_drawn(examples, wanted.get(label, 0), seed, "sample", draw, label)] = True
    return part_of(split, chosen)


def _by_class(split: Split) -> list[tuple[int, Tensor]]:
    """Each class with the numbers of its examples."""
    return [
        (label, (split.labels == label).nonzero()[:, 0]) for label in split.labels.unique().tolist()
    ]


def _drawn(examples: Tensor, n: int, *seed: int | str) -> Tensor:
    generator = torch.Generator().manual_seed(derived_seed(*seed))
    return examples[torch.randperm(len(examples), generator=generator)[:n]]
