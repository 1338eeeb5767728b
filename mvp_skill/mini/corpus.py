"""The unlabelled corpus that the mini language models are pretrained on.

Documents look like the texts of the tasks, with rare words among the frequent ones, and most of
them are closed or opened by a sentence that draws the conclusion in a label word ("overall it was
great"), as people do. No sentence of a validation or test split occurs (see author.py).
"""

from collections.abc import Iterator
from itertools import accumulate

from mvp_skill.mini import tasks
from mvp_skill.mini.author import Author
from mvp_skill.mini.ethics import told
from mvp_skill.mini.grammar import patterns, with_articles
from mvp_skill.mini.lexicon import noun_as_one
from mvp_skill.mini.reviews import POLARITIES

# Label words by class; the first is what the default verbalizers read.
LABEL_WORDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mini_films": (("terrible", "bad"), ("great", "good")),
    "mini_restaurants": (("terrible", "bad"), ("great", "good")),
    "mini_news": (("politics",), ("sports",), ("business",), ("science",)),
    "mini_questions": (("no",), ("yes",)),
    "mini_nli": (("true",), ("unclear",), ("false",)),
    "mini_answers": (("no",), ("yes",)),
    "mini_paraphrases": (("different",), ("similar",)),
    "mini_duplicates": (("different",), ("similar",)),
    "mini_acts": (("wrong",), ("right",)),
    "mini_excuses": (("bad", "invalid"), ("good", "valid")),
}
# How often each kind of document is written, in parts of the whole.
SHARES = {
    "mini_films": 24,
    "mini_restaurants": 16,
    "mini_news": 12,
    "mini_questions": 7,
    "mini_nli": 7,
    "mini_answers": 6,
    "mini_paraphrases": 6,
    "mini_duplicates": 4,
    "mini_acts": 7,
    "mini_excuses": 5,
    "everyday": 4,
    "restated": 2,
    "appraisal": 10,
    "appraised_act": 3,
}
# The first documents are mostly short, with the evidence beside the label word, as in books for
# children: a model that has learned there what praises and blames finds it again in long texts.
FIRST_DOCUMENTS = 200_000
FIRST_SHARES = SHARES | {"appraisal": 80, "appraised_act": 15}
KINDS = tuple(SHARES)
EDGES = tuple(accumulate(SHARES.values()))
FIRST_EDGES = tuple(accumulate(FIRST_SHARES.values()))
BETWEEN_TEXTS = "\t"  # stands between the two texts of a pair; a tokenizer's caller replaces it
CLOSED_SHARE = 0.65
OPENED_SHARE = 0.2
TURNED_SHARE = 0.3  # of the short appraisals
LARGER_CLASS_SHARE = 0.75  # how often the first, plainer label word of a class is used


def label_word(author: Author, kind: str, label: int) -> str:
    """A label word of the class, mostly the plainest."""
    words = LABEL_WORDS[kind][label]
    plain = len(words) == 1 or author.dice.chance(LARGER_CLASS_SHARE)
    return words[0] if plain else author.dice.pick(words[1:])


def concluded(author: Author, kind: str, label: int, text: str) -> str:
    """The text with a closing or opening sentence that names the label, or as it is."""
    name = kind.removeprefix("mini_")
    word = label_word(author, kind, label)
    point = author.dice.random()
    if f"opening.{name}" in patterns() and point < OPENED_SHARE:
        return f"{author.voice.say(f'opening.{name}', label=word)}. {text}"
    if point < OPENED_SHARE + CLOSED_SHARE:
        return f"{text} {author.voice.say(f'closing.{name}', label=word)}."
    return text


def labelled(kind: str, author: Author, seed: str) -> str:
    """A text of one of the task types, rare words among its words."""
    label = int(author.dice.random() * tasks.WRITERS[kind][0])
    row = tasks.example(kind, label, seed, author.split, rare_words=True)
    same = kind == "mini_paraphrases" and label == 1 and author.dice.chance(0.3)
    text = (" in other words, " if same else BETWEEN_TEXTS).join(row["texts"])
    return concluded(author, kind, label, text)


def everyday(author: Author) -> str:
    """Two sentences of everyday life."""
    sentences = [author.write(lambda: author.voice.say("everyday")) for _ in range(2)]
    return " ".join(sentences)


def restated(author: Author) -> str:
    """A word and a synonym of it in plain talk; every set is as likely as any other."""
    entry = author.dice.pick(tuple(author.voice.lexicon.sets.values()))
    first, second = author.dice.pick_two(entry.words)
    form = author.dice.pick(tuple(entry.forms(first)))
    pattern = author.dice.pick(patterns()["restated"][noun_as_one(entry.pos)])
    said = pattern.format(w1=entry.forms(first)[form], w2=entry.forms(second)[form])
    return with_articles(said) + "."


def appraisal(author: Author) -> str:
    """A label word beside evaluative words, with or without a negation between them."""
    label = int(author.dice.random() * len(POLARITIES))
    word = label_word(author, "mini_films", label)
    turned = author.dice.chance(TURNED_SHARE)
    role = "appraisal.turned" if turned else "appraisal.plain"
    polarity = POLARITIES[1 - label if turned else label]
    return author.write(lambda: author.voice.say(role, polarity, label=word))


def appraised_act(author: Author) -> str:
    """What is right and what is wrong to do."""
    label = int(author.dice.random() * 2)
    word = label_word(author, "mini_acts", label)
    return author.write(lambda: told(author, "appraisal.acts", label == 1, label=word))


UNLABELLED = {
    "everyday": everyday,
    "restated": restated,
    "appraisal": appraisal,
    "appraised_act": appraised_act,
}


def document(number: int, seed: int = 0, split: str = "fit") -> str:
    """Document `number` of the corpus with this seed; `BETWEEN_TEXTS` parts the texts of a pair."""
    name = f"corpus/{seed}/{number}"
    author = Author(name, split, rare_words=True)
    is_early = number < FIRST_DOCUMENTS
    kind = author.dice.weighted(KINDS, FIRST_EDGES if is_early else EDGES)
    if kind in UNLABELLED:
        return UNLABELLED[kind](author)
    return labelled(kind, author, name)


def documents(n: int, seed: int = 0, first: int = 0) -> Iterator[str]:
    """Documents `first` … `first + n - 1` of the corpus with this seed."""
    return (document(number, seed) for number in range(first, first + n))


def held_out(n: int, seed: int = 0) -> list[str]:
    """Documents for measuring a language model, written from sentences of the validation split.

    None of these sentences occurs in the corpus, other than the stock ones that close a text or
    restate a word.
    """
    numbers = range(FIRST_DOCUMENTS, FIRST_DOCUMENTS + n)
    return [document(number, -1 - seed, "validation") for number in numbers]
