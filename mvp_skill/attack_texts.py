"""A text under attack, of which words are exchanged without taking it apart each time.

TextAttack writes every candidate by looking for all words of the text again. Here the places of the
words are found once, and a candidate is written when somebody has to read it.
"""

import math
import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack.shared import AttackedText
    from textattack.transformations import Transformation

CJK = re.compile("[\u4e00-\u9fff]")  # TextAttack finds words of such texts by their meaning

Place = tuple[int, int, int]  # column, and characters [start, end) in it


class PlacedText:
    """A text under attack with the places of its words.

    attacked   the text as TextAttack has it, which knows what was changed before
    """

    def __init__(self, attacked: "AttackedText"):
        self.attacked = attacked
        given = attacked.tokenizer_input
        self.columns = (given,) if isinstance(given, str) else tuple(given)
        self.words: list[str] = attacked.words
        self.places = places_of(self.columns, self.words)

    @property
    def input(self) -> str | tuple[str, ...]:
        """What the victim reads."""
        return input_of(self.columns)

    @cached_property
    def text(self) -> str:
        """All columns, one per line."""
        return "\n".join(self.columns)

    def with_word(self, index: int, word: str) -> tuple[str, ...]:
        """The columns with another word; with "" the word goes, and one space beside it."""
        if self.places is None:
            return PlacedText(self.attacked.replace_word_at_index(index, word)).columns
        column, start, end = self.places[index]
        before, after = self.columns[column][:start], self.columns[column][end:]
        if not words_in(word):
            last = column == len(self.columns) - 1
            if index == 0:
                after = after.removeprefix(" ")
            elif after or not last:
                before = before.removesuffix(" ")
        changed = before + word + after
        return (*self.columns[:column], changed, *self.columns[column + 1 :])

    def window(self, index: int, size: float, word: str | None = None) -> str:
        """The text of `size` words around one of them, from the first word to the last.

        word   in the place of the one at `index`; the text's own if None
        """
        if self.places is None:
            whole = self.attacked
            if word is not None:
                whole = whole.replace_word_at_index(index, word)
            return whole.text_window_around_index(index, size)
        first, last = window_bounds(len(self.words), index, size)
        start, end = self._in_text(first)[0], self._in_text(last)[1]
        if word is None:
            return self.text[start:end]
        place = self._in_text(index)
        return self.text[start : place[0]] + word + self.text[place[1] : end]

    def _in_text(self, index: int) -> tuple[int, int]:
        """Characters [start, end) of a word in `text`."""
        column, start, end = self.places[index]
        offset = sum(len(before) + 1 for before in self.columns[:column])
        return offset + start, offset + end


class Candidate:
    """A text with one other word, not written before it is read.

    similarity   to the text it was compared with, once an encoder was asked
    """

    __slots__ = ("before", "index", "word", "transformation", "similarity", "_columns", "_attacked")

    def __init__(self, before: PlacedText, index: int, word: str, transformation: "Transformation"):
        self.before, self.index, self.word = before, index, word
        self.transformation = transformation
        self.similarity: float | None = None
        self._columns: tuple[str, ...] | None = None
        self._attacked: AttackedText | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The texts, one per column."""
        if self._columns is None:
            self._columns = self.before.with_word(self.index, self.word)
        return self._columns

    @property
    def input(self) -> str | tuple[str, ...]:
        """What the victim reads."""
        return input_of(self.columns)

    @property
    def text(self) -> str:
        """All columns, one per line."""
        return "\n".join(self.columns)

    @property
    def plain(self) -> bool:
        """Whether one word stands for one word, so that all others keep their numbers."""
        return self.before.places is not None and is_plain(self.word)

    @property
    def attacked(self) -> "AttackedText":
        """The text as TextAttack writes it."""
        if self._attacked is None:
            self._attacked = self.before.attacked.replace_word_at_index(self.index, self.word)
            self._attacked.attack_attrs["last_transformation"] = self.transformation
        return self._attacked


def input_of(columns: tuple[str, ...]) -> str | tuple[str, ...]:
    """What the victim reads of the columns of a text: a string if there is only one."""
    return columns[0] if len(columns) == 1 else columns


def places_of(columns: Sequence[str], words: Sequence[str]) -> list[Place] | None:
    """Where the words are, in their order; None for texts that cannot be cut there.

    None if TextAttack finds the words by more than their characters, or looks for them in a text of
    another length (some capital letters become two letters when they are made small).
    """
    if any(CJK.search(column) or len(column.lower()) != len(column) for column in columns):
        return None
    places, column, end = [], 0, 0
    for word in words:
        while (start := columns[column].find(word, end)) < 0:
            column, end = column + 1, 0
            if column == len(columns):
                return None
        end = start + len(word)
        places.append((column, start, end))
    return places


def window_bounds(n_words: int, index: int, size: float) -> tuple[int, int]:
    """First and last word of TextAttack's window around a word; all words if `size` is infinite."""
    half = (size - 1) / 2
    if index - half < 0:
        return 0, int(min(size - 1, n_words - 1))
    if index + half >= n_words:
        return int(max(0, n_words - size)), n_words - 1
    return index - math.ceil(half), index + math.floor(half)


@lru_cache(maxsize=2**16)
def words_in(text: str) -> tuple[str, ...]:
    """The words that TextAttack finds in a word."""
    return tuple(textattack().shared.utils.words_from_text(text))


@lru_cache(maxsize=2**16)
def is_plain(word: str) -> bool:
    """Whether TextAttack takes it for one word wherever it stands."""
    return words_in(word) == (word,) and not CJK.search(word) and len(word.lower()) == len(word)


def candidates(transformation: Any, text: PlacedText, indices: Sequence[int]) -> list[Candidate]:
    """What a transformation makes of a text by exchanging one of some words, in TextAttack's order.

    A transformation of several parts makes each text once.
    """
    parts = parts_of(transformation)
    found = [
        Candidate(text, index, word, part)
        for part in parts
        for index in indices
        for word in replacements(part, text.attacked, index)
        if word != text.words[index]
    ]
    if parts == [transformation]:
        return found
    each: dict[tuple[int, str], Candidate] = {}
    for candidate in found:
        each.setdefault((candidate.index, candidate.word), candidate)
    return list(each.values())


def parts_of(transformation: Any) -> list[Any]:
    """The transformations that a composite one is made of; a simple one is its only part."""
    return list(getattr(transformation, "transformations", [transformation]))


def replacements(part: Any, attacked: "AttackedText", index: int) -> list[str]:
    """The words that a transformation puts in the place of one word of a text."""
    if hasattr(part, "words_for"):  # those that read the text around the word
        return part.words_for(attacked, index)
    return part._get_replacement_words(attacked.words[index])
