"""Random choices that come out the same in every process and on every Python version.

Python promises a stable stream only for `random.Random(int).random()`; everything here is built
on that one method, and seeds are digests of text, never `hash()`, which Python salts.
"""

import hashlib
import random
from bisect import bisect
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def digest(text: str) -> int:
    """A 64-bit number that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Dice:
    """A seeded source of choices; the seed is any text."""

    def __init__(self, seed: str):
        self.random = random.Random(digest(seed)).random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each alike."""
        return options[int(self.random() * len(options))]

    def pick_two(self, options: Sequence[T]) -> tuple[T, T]:
        """Two different options."""
        first = int(self.random() * len(options))
        second = int(self.random() * (len(options) - 1))
        return options[first], options[second + (second >= first)]

    def weighted(self, options: Sequence[T], cumulative: Sequence[float]) -> T:
        """One option; `cumulative` are running sums of weights that end at their total."""
        return options[bisect(cumulative, self.random() * cumulative[-1])]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher-Yates)."""
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            other = int(self.random() * (last + 1))
            out[last], out[other] = out[other], out[last]
        return out
