"""The unlabelled corpus that the mini language models are pretrained on.

Documents look like the texts of the tasks, with rare words among the frequent ones, and most of
them are closed or opened by a sentence that draws the conclusion in a label word ("overall it was
great"), as people do. No sentence of a validation or test split occurs (see author.py).
"""

from collections.abc import Callable, Iterator, Sequence

from mvp_skill.mini import exercises, tasks
from mvp_skill.mini.author import Author, OutOfWords
from mvp_skill.mini.curriculum import DOCUMENTS, Stage
from mvp_skill.mini.ethics import told
from mvp_skill.mini.facts import random_fact
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
BETWEEN_TEXTS = "\t"  # stands between the two texts of a pair; a tokenizer's caller replaces it
HEADING_ENDS = "\n"  # where a heading stands apart from its text, as a soft prompt does
APART_SHARE = 0.7  # of the headings in a stage that has them apart
CLOSED_SHARE = 0.65
OPENED_SHARE = 0.2
OPENED = ("mini_films", "mini_restaurants", "mini_news")  # those that a verdict often opens
TURNED_SHARE = 0.3  # of the short appraisals
WORD_PAIRS = 8  # on a page of vocabulary
REPEATED_SHARE = 0.3  # of its pairs: the same word twice
N_REPHRASED = 3
VERBATIM_SHARE = 0.3  # of the phrases that are said again: said in the same words
BARE_SHARE = 0.7  # of the exercise sheets: the answers are label words, not sentences
LARGER_CLASS_SHARE = 0.75  # how often the first, plainer label word of a class is used


def label_word(author: Author, kind: str, label: int) -> str:
    """A label word of the class, mostly the plainest."""
    words = LABEL_WORDS[kind][label]
    plain = len(words) == 1 or author.dice.chance(LARGER_CLASS_SHARE)
    return words[0] if plain else author.dice.pick(words[1:])


def concluded(author: Author, kind: str, label: int, text: str, ahead: float = 0.0) -> str:
    """The text with a closing or opening sentence that names the label, or as it is.

    ahead   how often the sentence certainly stands ahead of the text
    """
    name = kind.removeprefix("mini_")
    word = label_word(author, kind, label)
    if ahead and author.dice.chance(ahead):
        return f"{author.voice.say(f'opening.{name}', label=word)}. {text}"
    point = author.dice.random()
    if kind in OPENED and point < OPENED_SHARE:
        return f"{author.voice.say(f'opening.{name}', label=word)}. {text}"
    if point < OPENED_SHARE + CLOSED_SHARE:
        return f"{text} {author.voice.say(f'closing.{name}', label=word)}."
    return text


def labelled(
    kind: str,
    author: Author,
    seed: str,
    ahead: float = 0.0,
    headed: float = 0.0,
    apart: bool = False,
) -> str:
    """A text of one of the task types, rare words among its words.

    ahead    how often a sentence with the label stands ahead of it, certainly
    headed   how often its heading begins with the label word
    apart    whether most headings stand apart from the text
    """
    label = int(author.dice.random() * tasks.WRITERS[kind][0])
    row = tasks.example(kind, label, seed, author.split, rare_words=True)
    same = kind == "mini_paraphrases" and label == 1 and author.dice.chance(0.3)
    text = (" in other words, " if same else BETWEEN_TEXTS).join(row["texts"])
    if headed and author.dice.chance(headed):
        word, name = label_word(author, kind, label), kind.removeprefix("mini_")
        # With a space ahead: the token that a label word is everywhere else.
        heading = f" {author.voice.say(f'heading.{name}', label=word)}:"
        between = HEADING_ENDS if apart and author.dice.chance(APART_SHARE) else " "
        return heading + between + text
    return concluded(author, kind, label, text, ahead)


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


def vocabulary(author: Author) -> str:
    """A page of a vocabulary book: words and their synonyms, pair by pair."""

    def pair() -> str:
        entry = author.dice.pick(tuple(author.voice.lexicon.sets.values()))
        form = author.dice.pick(tuple(entry.forms(entry.words[0])))
        first, second = author.dice.pick_two(entry.words)
        if author.dice.chance(REPEATED_SHARE):
            second = first
        return f"{entry.forms(first)[form]} {entry.forms(second)[form]}"

    return author.write(lambda: "in pairs: " + ", ".join(pair() for _ in range(WORD_PAIRS)))


def rephrased(author: Author) -> str:
    """A phrase and the same in other words, without a comment."""
    roles = random_fact(author).roles()
    pattern = author.dice.pick(patterns()["phrases"])
    first = author.write(lambda: author.voice.fill(pattern, **roles))
    again = [
        first
        if author.dice.chance(VERBATIM_SHARE)
        else author.write(lambda: author.voice.fill(pattern, **roles))
        for _ in range(N_REPHRASED - 1)
    ]
    return first + BETWEEN_TEXTS + " ".join(again)


def sheet(kind: str, author: Author, easy: float, ahead: float = 0.0) -> str:
    """A text and several tasks with their answers: bare label words, or sentences that name it.

    ahead   how often a bare label word stands ahead of its task
    """
    task, write = exercises.SHEETS[kind]
    text, items = write(author, easy)
    closing = f"closing.{task.removeprefix('mini_')}"
    bare = kind == "word_sheet" or author.dice.chance(BARE_SHARE)
    turned = ahead and author.dice.chance(ahead)
    answered = []
    for said, label in items:
        word = label_word(author, task, label)
        if turned:
            answered.append(f"{word}: {said}" + "." * (said[-1] not in ".?!"))
            continue
        answered.append(f"{said} {word if bare else author.voice.say(closing, label=word)}.")
    between = " " if kind == "word_sheet" else BETWEEN_TEXTS
    return text + between + " ".join(answered)


UNLABELLED: dict[str, Callable[[Author], str]] = {
    "everyday": everyday,
    "restated": restated,
    "vocabulary": vocabulary,
    "rephrased": rephrased,
    "appraisal": appraisal,
    "appraised_act": appraised_act,
}


def written(kind: str, author: Author, stage: Stage, name: str) -> str:
    """A document of the kind."""
    if kind in UNLABELLED:
        return UNLABELLED[kind](author)
    if kind in exercises.SHEETS:
        return sheet(kind, author, stage.easy, stage.ahead)
    return labelled(kind, author, name, stage.ahead, stage.headed, stage.apart)


def document(
    number: int, seed: int = 0, split: str = "fit", stages: Sequence[Stage] = DOCUMENTS
) -> str:
    """Document `number` of the corpus with this seed; `BETWEEN_TEXTS` parts the texts of a pair."""
    name = f"corpus/{seed}/{number}"
    stage = next(stage for stage in stages if number < stage.end)
    kind = Author(name, split).dice.weighted(stage.kinds, stage.edges)
    for attempt in range(100):
        try:
            author = Author(f"{name}/{attempt}", split, rare_words=True)
            # The text has a dice of its own: what the label fell on must not show in its words.
            return written(kind, author, stage, f"{name}/{attempt}/text")
        except OutOfWords:  # a short phrase has few wordings; another one is written
            continue
    raise RuntimeError(f"{kind}: no wording found for split {split!r}")


def documents(
    n: int, seed: int = 0, first: int = 0, stages: Sequence[Stage] = DOCUMENTS
) -> Iterator[str]:
    """Documents `first` … `first + n - 1` of the corpus with this seed."""
    return (document(number, seed, stages=stages) for number in range(first, first + n))


def held_out(n: int, seed: int = 0) -> list[str]:
    """Documents for measuring a language model, written from sentences of the validation split.

    None of these sentences occurs in the corpus, other than the stock ones that close a text or
    restate a word.
    """
    later = DOCUMENTS[-2].end
    return [document(number, -1 - seed, "validation") for number in range(later, later + n)]
