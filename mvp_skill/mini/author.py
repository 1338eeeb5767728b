"""An author writes sentences that belong to one split.

Every sentence of the mini world belongs to a split by a digest of its text: most to "fit" (the
training splits and the pretraining corpus), some to "validation" or "test". Authors write until a
sentence falls into their split, so whatever sizes and seeds are asked for, no sentence that is
evaluated or attacked was ever trained on.
"""

from collections.abc import Callable

from mvp_skill.mini.dice import Dice, digest
from mvp_skill.mini.grammar import Voice

SPLITS = ("fit", "validation", "test")
ATTEMPTS = 400


class OutOfWords(Exception):
    """No wording of a sentence fell into the split; the document is begun anew."""


def split_of(sentence: str) -> str:
    """The split a sentence belongs to: 1 in 10 is for validation, 2 in 10 for test."""
    share = digest(sentence) % 10
    return "validation" if share == 0 else "test" if share <= 2 else "fit"


class Author:
    """A dice, a voice and a split; `write` turns a way of making sentences into a sentence."""

    def __init__(self, seed: str, split: str, rare_words: bool = False):
        self.dice = Dice(seed)
        self.voice = Voice(self.dice, rare_words)
        self.split = split

    def write(self, make: Callable[[], str], end: str = ".") -> str:
        """A sentence from `make`, tried until one belongs to the split; raises `OutOfWords`."""
        for _ in range(ATTEMPTS):
            sentence = make() + end
            if split_of(sentence) == self.split:
                return sentence
        raise OutOfWords
