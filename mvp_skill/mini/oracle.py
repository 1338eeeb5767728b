"""Does the label of a text still hold after some of its words were exchanged?

The generator knows what every word means, so for the mini world this can be computed. Words are
compared in place; the answer is

    "kept"         the new text has the old label
    "changed"      it has another label, or none any more (as much praise as blame, say)
    "undecidable"  the lexicon and the grammar do not tell (an unknown word, words added or lost)

A misspelt word is read as the word it came from, as people do without trouble if its ends are in
place: a look-alike letter as the letter, a word cut in two as one, and a typo (see `is_typo`) as
the word without it. Only if the typo is a word of the mini world itself, the text says that word.

Exchanging a word for a synonym in the same form keeps every label, if it is one in every sense of
the old word ("moving" may be touching or shifting). Beyond that, reviews, news and acts are read
again from their words; the pair tasks, whose labels depend on both texts, are not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from os.path import commonprefix

from mvp_skill.look_alikes import as_seen
from mvp_skill.mini import lexicon
from mvp_skill.mini.grammar import SLOT, patterns
from mvp_skill.mini.news import TOPICS

WORD = re.compile(r"[a-z]+|[^\sa-z]")
NEGATIONS = {"not", "never", "hardly", "nothing", "nobody", "no", "neither", "without"}
CLAUSE_ENDS = {".", ",", ";", ":", "?", "but", "yet", "while", "however", "although", "though"}
SENTENCE_ENDS = {".", "?"}
SHORTEST_TYPO = 4  # letters of the word before it; in a shorter one, a letter is too much of it
TURNING = {"not", "refused", "no", "nobody", "stopped", "never"}


def words_of(text: str) -> list[str]:
    """Words and marks of a text in lower case, as a reader sees them."""
    return WORD.findall(as_seen(text.lower()))


def parts(words: Sequence[str], ends: set[str]) -> list[list[str]]:
    """The words cut after every end mark; the marks are left out."""
    cut: list[list[str]] = [[]]
    for word in words:
        if word in ends:
            cut.append([])
        else:
            cut[-1].append(word)
    return [part for part in cut if part]


def polarity(word: str) -> int:
    """+1 for words of praise, -1 for words of blame, 0 for others."""
    meanings = lexicon.load().meanings(word)
    praise = any(m.startswith("praise.") for m in meanings)
    blame = any(m.startswith("blame.") for m in meanings)
    return int(praise) - int(blame)


def balance(words: Sequence[str]) -> int:
    """Clauses that praise minus clauses that blame; a negation before a word turns it round."""
    total = 0
    for clause in parts(words, CLAUSE_ENDS):
        sign = 1
        for word in clause:
            sign = -sign if word in NEGATIONS else sign
            total += sign * polarity(word)
    return total


def read_review(words: Sequence[str]) -> int | None:
    """The label of a review; None if praise and blame balance."""
    total = balance(words)
    return None if total == 0 else int(total > 0)


def topic_of(sentence: Sequence[str]) -> str | None:
    """The topic that most topical words of a sentence belong to; None without a single winner."""
    topics = [
        topic
        for word in sentence
        for topic in {meaning.split(".")[0] for meaning in lexicon.load().meanings(word)}
        if topic in TOPICS
    ]
    return single_winner(topics)


def single_winner(votes: Sequence[str]) -> str | None:
    """The most frequent vote; None for no vote or a tie at the top."""
    ranked = Counter(votes).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def read_news(words: Sequence[str]) -> int | None:
    """The topic of most sentences; None without a single winner."""
    found = [topic_of(sentence) for sentence in parts(words, SENTENCE_ENDS)]
    winner = single_winner([topic for topic in found if topic])
    return None if winner is None else TOPICS.index(winner)


def is_judged(sentence: Sequence[str]) -> bool:
    """Whether a sentence of the acts task is about what "i" did."""
    return "i" in sentence and sentence[:3] != ["i", "heard", "that"]


def valence(word: str) -> int:
    """+1 for a good act, -1 for a bad one, 0 for other words."""
    meanings = lexicon.load().meanings(word)
    good = bool(meanings & {"moral.good", "moral.give"})
    return int(good) - int(bool(meanings & {"moral.bad", "moral.take"}))


def read_act(words: Sequence[str]) -> int | None:
    """Whether what "i" did is acceptable (1) or wrong (0); None if no act is found."""
    for sentence in parts(words, SENTENCE_ENDS):
        acts = [value for word in sentence if (value := valence(word))]
        if is_judged(sentence) and acts:
            told_not_to = sentence.count("not") and "told" in sentence and "still" in sentence
            turned = bool(TURNING & set(sentence)) and not told_not_to
            turned &= "while nobody was looking" not in " ".join(sentence)
            return int((sum(acts) > 0) != turned)
    return None


def synonym_exchanges(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> tuple[int, int]:
    """How many words attacks exchanged for a synonym in the same form, and how many in all.

    pairs   texts before and after each attack; what is only misspelt is not exchanged
    """
    words, exchanged = lexicon.load(), []
    for texts, changed in pairs:
        old = words_of(" ".join(texts))
        new = as_meant(words_of(" ".join(changed)), old)
        exchanged += [(a, b) for a, b in zip(old, new, strict=False) if a != b]
    return sum(b in words.synonyms(a) for a, b in exchanged), len(exchanged)


@cache
def vocabulary() -> frozenset[str]:
    """Every word that the mini world can say: those of the lexicon, and those between the slots."""
    spoken = " ".join(SLOT.sub(" ", str(pattern)) for pattern in patterns().values())
    return frozenset(lexicon.load().readings) | frozenset(words_of(spoken))


def is_typo(word: str, written: str) -> bool:
    """Whether `written` is `word` with one slip of the keyboard inside it.

    One letter more, less or other, or two neighbours swapped; the first and the last letter in
    place; at least SHORTEST_TYPO letters before. What is a word itself is none.
    """
    if len(word) < SHORTEST_TYPO or written in vocabulary():
        return False
    if word[0] != written[:1] or word[-1] != written[-1:]:
        return False
    same = len(commonprefix([word, written]))
    old, new = word[same:], written[same:]  # from the first difference on
    other, more, less = old[1:] == new[1:], old == new[1:], old[1:] == new
    swapped = old[:2] == new[1::-1] and old[2:] == new[2:]
    return other or more or less or swapped


def as_meant(words: Sequence[str], original: Sequence[str]) -> list[str]:
    """The words with what is only misspelt read as the original word in its place."""
    read, left = [], list(words)
    for word in original:
        if len(left) > 1 and left[0] + left[1] == word:  # a space in the word
            left[:2] = [word]
        if left:
            written = left.pop(0)
            read.append(word if is_typo(word, written) else written)
    return read + left


READERS: dict[str, Callable[[Sequence[str]], int | None]] = {
    "mini_films": read_review,
    "mini_restaurants": read_review,
    "mini_news": read_news,
    "mini_acts": read_act,
}


def verdict(task: str, texts: Sequence[str], changed: Sequence[str], label: int) -> str:
    """ "kept", "changed" or "undecidable" for a task's texts before and after an attack."""
    old = [words_of(text) for text in texts]
    new = [as_meant(words_of(y), x) for x, y in zip(old, changed, strict=True)]
    if [len(words) for words in old] != [len(words) for words in new]:
        return "undecidable"
    pairs = [(a, b) for x, y in zip(old, new, strict=True) for a, b in zip(x, y, strict=True)]
    exchanged = [(a, b) for a, b in pairs if a != b]
    words = lexicon.load()
    if all(words.same_in_every_sense(a, b) for a, b in exchanged):
        return "kept"
    if task not in READERS or not all(b in vocabulary() for _, b in exchanged):
        return "undecidable"
    return "kept" if READERS[task](new[0]) == label else "changed"
