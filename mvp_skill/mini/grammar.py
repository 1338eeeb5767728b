"""Sentences from patterns: slots are filled from the lexicon and inflected to agree.

`patterns.yaml` says what a slot may look like. A `Voice` draws the words: by Zipf's law over the
rank within a synonym set, from the frequent half of each set or from all of it.
"""

import re
from bisect import bisect
from functools import cache
from importlib.resources import files
from itertools import accumulate

import yaml

from mvp_skill.mini import lexicon
from mvp_skill.mini.dice import Dice
from mvp_skill.mini.inflection import article
from mvp_skill.mini.lexicon import Lexicon, SynonymSet, noun_as_one

SLOT = re.compile(r"\{([^}]*)\}")
BEFORE = re.compile(r"a\(n\) (\w+)")  # an article, and the word that decides on it
AGREEING = {"was": "were", "is": "are", "has": "have", "does": "do"}
PLURAL_SHARE = 0.3


@cache
def patterns() -> dict[str, list[str]]:
    """All patterns by role, as `patterns.yaml` lists them."""
    text = files(__package__).joinpath("patterns.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


@cache
def compiled(pattern: str) -> tuple[tuple[str, str], ...]:
    """A pattern cut into (literal text, slot) pairs; the last slot is empty."""
    pieces = SLOT.split(pattern) + [""]
    return tuple(zip(pieces[0::2], pieces[1::2], strict=True))


@cache
def parts_of(slot: str, polarity: str) -> tuple[str, str, str, str]:
    """Part of speech, meaning classes, form and name of the role; the last two may be empty.

    Without a part of speech it is a role that was named before, without classes a given text.
    """
    spec, _, name = slot.partition("=")
    if not spec:
        name, _, form = name.partition(":")
        return "", "", form, name
    pos, meanings, form = (spec.split(":") + ["", ""])[:3]
    return pos, meanings.replace("eval.", f"{polarity}."), form, name


@cache
def zipf_edges(n_words: int) -> tuple[float, ...]:
    """Running sums of rank ** -exponent for ranks 1 … n_words."""
    return tuple(accumulate(rank**-lexicon.ZIPF_EXPONENT for rank in range(1, n_words + 1)))


class Voice:
    """Fills patterns with words drawn by one dice.

    With `rare_words` the whole synonym set is drawn from (the corpus); without, its frequent half
    (the tasks). The Zipf weights of the ranks are the same either way.
    """

    def __init__(self, dice: Dice, rare_words: bool = False, words: Lexicon | None = None):
        self.dice = dice
        self.rare_words = rare_words
        self.lexicon = words or lexicon.load()

    def word(self, entry: SynonymSet) -> str:
        """A base form of the set."""
        return entry.words[self.rank(entry)]

    def rank(self, entry: SynonymSet) -> int:
        """The place of a drawn word in the set; the frequent half comes first."""
        edges = zipf_edges(len(entry.words if self.rare_words else entry.frequent))
        return bisect(edges, self.dice.random() * edges[-1])

    def any_set(self, pos: str, meanings: str) -> SynonymSet:
        """A synonym set of one of the meaning classes (joined by commas), each set alike."""
        return self.dice.pick(sets_of(self.lexicon, pos, meanings))

    def fill(self, pattern: str, polarity: str = "", **roles: SynonymSet | str) -> str:
        """The pattern as text. `polarity` ("praise" or "blame") is what "eval." stands for.

        `roles` are synonym sets for {=role:form} slots, or texts for plain {name} slots; sets that
        the pattern itself names (`=role`) join them and are found in `self.roles` afterwards.
        """
        self.roles = roles
        self.is_plural = False
        pieces = []
        for literal, slot in compiled(pattern):
            pieces += (literal, self.slot(slot, polarity)) if slot else (literal,)
        return with_articles("".join(pieces))

    def slot(self, slot: str, polarity: str) -> str:
        """The text of one slot; remembers number and roles for the slots after it."""
        if slot in AGREEING:
            return AGREEING[slot] if self.is_plural else slot
        pos, meanings, form, name = parts_of(slot, polarity)
        if not pos:
            return self.inflected(self.roles[name], form)
        if not meanings:
            return self.roles[slot]
        if isinstance(self.roles.get(meanings), str):  # {n:part}: the class is given by the caller
            meanings = self.roles[meanings]
        entry = self.any_set(pos, meanings)
        if name:
            self.roles[name] = entry
        return self.inflected(entry, form)

    def inflected(self, entry: SynonymSet, form: str) -> str:
        """A word of the set in a form; an empty form is past for verbs, else base."""
        rank = self.rank(entry)
        if form == "num":
            self.is_plural = entry.pos == "n" and self.dice.chance(PLURAL_SHARE)
            form = "plural" if self.is_plural else "base"
        elif form == "agree":
            form = "base" if self.is_plural else "third"
        elif not form:
            form = "past" if entry.pos == "v" else "base"
        return entry.inflected[form][rank]

    def say(self, role: str, polarity: str = "", **roles: SynonymSet | str) -> str:
        """One of the patterns of a role, filled."""
        return self.fill(self.dice.pick(patterns()[role]), polarity, **roles)


@cache
def sets_of(words: Lexicon, pos: str, meanings: str) -> tuple[SynonymSet, ...]:
    """Sets of one part of speech and any of the meaning classes, in the order of the lexicon."""
    found = [s for m in meanings.split(",") for s in words.by_meaning[noun_as_one(pos), m]]
    if not found:
        raise KeyError(f"no set with part of speech {pos!r} and meaning {meanings!r}")
    return tuple(found)


def with_articles(text: str) -> str:
    """Every "a(n)" as "a" or "an", by the word after it."""
    if "a(n)" not in text:
        return text
    return BEFORE.sub(lambda m: f"{article(m[1])} {m[1]}", text)
