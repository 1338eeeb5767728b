"""The words of the mini world: synonym sets with part of speech, meaning class and antonyms.

`lexicon.txt` is the data, made to be read and extended by people; `load` checks it and names the
line of any mistake. Everything else in the mini world (grammar, tasks, oracle, vectors) asks here.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files

from mvp_skill.errors import BadInput
from mvp_skill.mini.inflection import forms

PARTS_OF_SPEECH = {"a": "ADJ", "r": "ADV", "v": "VERB", "n": "NOUN", "m": "NOUN"}
SMALLEST_SET = 4
OPPOSED = {"praise.": "blame.", "moral.good": "moral.bad", "moral.give": "moral.take"}
ZIPF_EXPONENT = 1.0  # share of the word of rank k within its set is proportional to k ** -exponent


@dataclass(frozen=True)
class SynonymSet:
    """Words that may stand for each other; `words` are base forms, most frequent first."""

    name: str
    pos: str  # a, r, v, n (countable) or m (mass noun)
    meaning: str
    words: tuple[str, ...]
    antonyms: tuple[str, ...] = field(default=())
    line: int = 0

    @cached_property
    def frequent(self) -> tuple[str, ...]:
        """The half of the set that fine-tuning data draw from (the larger half of an odd set)."""
        return self.words[: (len(self.words) + 1) // 2]

    @property
    def rare(self) -> tuple[str, ...]:
        """The half that only the pretraining corpus contains."""
        return self.words[(len(self.words) + 1) // 2 :]

    @cached_property
    def inflected(self) -> dict[str, list[str]]:
        """Name of the form -> all words in that form, in the order of `words`."""
        found = [self.forms(word) for word in self.words]
        return {name: [surface[name] for surface in found] for name in found[0]}

    def __hash__(self) -> int:  # no two sets of a lexicon have one name; all fields take long
        return hash(self.name)

    def forms(self, word: str) -> dict[str, str]:
        """Surface forms of one of the words, by the name of the form."""
        return forms(word, self.pos)


class Lexicon:
    """All synonym sets, with look-ups by name, by meaning class and by surface form."""

    def __init__(self, sets: list[SynonymSet]):
        self.sets = {entry.name: entry for entry in sets}
        self.by_meaning: dict[tuple[str, str], list[SynonymSet]] = defaultdict(list)
        # surface form -> [(set, base word, name of the form)]
        self.readings: dict[str, list[tuple[SynonymSet, str, str]]] = defaultdict(list)
        for entry in sets:
            self.by_meaning[noun_as_one(entry.pos), entry.meaning].append(entry)
            for word in entry.words:
                for name, surface in entry.forms(word).items():
                    self.readings[surface].append((entry, word, name))

    def tags(self) -> dict[str, set[str]]:
        """Surface form -> universal part-of-speech tags."""
        return {
            surface: {PARTS_OF_SPEECH[entry.pos] for entry, _, _ in found}
            for surface, found in self.readings.items()
        }

    def meanings(self, surface: str) -> set[str]:
        """Meaning classes of the sets that a surface form belongs to; empty for other words."""
        return {entry.meaning for entry, _, _ in self.readings.get(surface, ())}

    def synonyms(self, surface: str) -> set[str]:
        """Words of the same sets in the same form, without the word itself."""
        found = self.readings.get(surface, ())
        same = {entry.forms(w)[name] for entry, _, name in found for w in entry.words}
        return same - {surface}

    def same_in_every_sense(self, surface: str, other: str) -> bool:
        """Whether `other` may stand for the word whatever it means where it stands."""
        found = self.readings.get(surface, ())
        return bool(found) and all(
            other in (entry.forms(word)[name] for word in entry.words) for entry, _, name in found
        )

    def antonyms(self, surface: str) -> set[str]:
        """Words of the antonym sets in the same form."""
        return {
            other.forms(word)[name]
            for entry, _, name in self.readings.get(surface, ())
            for other in (self.sets[antonym] for antonym in entry.antonyms)
            for word in other.words
            if name in other.forms(word)
        }

    def opposites(self, surface: str) -> set[str]:
        """Words in the same form and part of speech that judge the same aspect the other way.

        A thesaurus lists more of them than the antonym sets do: to "superb" not only "awful", but
        "poor" and "ghastly", too. The antonyms are among them.
        """
        return self.antonyms(surface) | {
            other.forms(word)[name]
            for entry, _, name in self.readings.get(surface, ())
            for other in self.by_meaning.get((noun_as_one(entry.pos), opposed(entry.meaning)), ())
            for word in other.words
            if name in other.forms(word)
        }

    def rare_forms(self) -> dict[str, set[str]]:
        """Rare surface form -> its synonyms, for forms that no frequent word shares."""
        frequent = {
            surface
            for entry in self.sets.values()
            for word in entry.frequent
            for surface in entry.forms(word).values()
        }
        return {s: self.synonyms(s) for s in sorted(self.readings) if s not in frequent}


def noun_as_one(pos: str) -> str:
    """Countable and mass nouns are one part of speech wherever only that matters."""
    return "n" if pos == "m" else pos


def opposed(meaning: str) -> str | None:
    """The meaning class that judges the same aspect the other way; None if there is none."""
    for first, second in OPPOSED.items():
        if meaning.startswith(first):
            return meaning.replace(first, second, 1)
        if meaning.startswith(second):
            return meaning.replace(second, first, 1)
    return None


def parse_line(line: str, number: int) -> SynonymSet:
    """The synonym set of one line; raises `BadInput` naming the line."""
    fields = [part.strip() for part in line.split("|")]
    if len(fields) != 4:
        raise BadInput(f"lexicon line {number}: {len(fields)} fields, expected 4 between bars.")
    pos, meaning, words, antonyms = fields[0], fields[1], fields[2].split(), fields[3].split()
    if pos not in PARTS_OF_SPEECH:
        allowed = ", ".join(PARTS_OF_SPEECH)
        raise BadInput(f"lexicon line {number}: part of speech {pos!r}; allowed: {allowed}.")
    if len(words) < SMALLEST_SET:
        raise BadInput(
            f"lexicon line {number}: {len(words)} words, at least {SMALLEST_SET} needed."
        )
    names = tuple(f"{word}.{noun_as_one(pos)}" for word in antonyms)
    return SynonymSet(f"{words[0]}.{noun_as_one(pos)}", pos, meaning, tuple(words), names, number)


def check(sets: list[SynonymSet]) -> None:
    """Refuse a word in two sets of one part of speech and antonyms that are not mutual."""
    seen: dict[tuple[str, str], SynonymSet] = {}
    for entry in sets:
        for word in entry.words:
            other = seen.setdefault((noun_as_one(entry.pos), word), entry)
            if other is not entry or entry.words.count(word) > 1:
                raise BadInput(
                    f"lexicon line {entry.line}: {word!r} is already in line {other.line} "
                    "with the same part of speech."
                )
    by_name = {entry.name: entry for entry in sets}
    for entry in sets:
        for antonym in entry.antonyms:
            if antonym not in by_name:
                raise BadInput(f"lexicon line {entry.line}: no set is named {antonym!r}.")
            if entry.name not in by_name[antonym].antonyms:
                raise BadInput(
                    f"lexicon line {entry.line}: {antonym!r} (line {by_name[antonym].line}) "
                    f"does not name {entry.name!r} as its antonym."
                )


def parse(text: str) -> Lexicon:
    """A checked lexicon from the text of a lexicon file.

    Raises `BadInput` naming the line for: a wrong number of fields, an unknown part of speech, a
    set under four words, a word in two sets of one part of speech, antonyms that are not mutual.
    """
    lines = enumerate(text.splitlines(), start=1)
    sets = [parse_line(s, n) for n, s in lines if s.strip() and not s.startswith("#")]
    check(sets)
    return Lexicon(sets)


@cache
def load() -> Lexicon:
    """The lexicon of the package."""
    return parse(files(__package__).joinpath("lexicon.txt").read_text(encoding="utf-8"))
