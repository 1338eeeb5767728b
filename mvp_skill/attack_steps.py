"""What an attack does step by step, for notebooks that do it by hand and for tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mvp_skill.attack_recipes import word_limits

if TYPE_CHECKING:
    from textattack import Attack
    from textattack.shared import AttackedText

    from mvp_skill.tasks import Task

_NAMES = {
    "MaxWordsPerturbed": "word limit",
    "WordEmbeddingDistance": "cosine",
    "PartOfSpeech": "part of speech",
    "LexiconPartOfSpeech": "part of speech",
    "EncoderSimilarity": "encoder",
}


def step_names(made: "Attack") -> list[str]:
    """Names for people of the constraints that candidates pass one after the other."""
    return [_NAMES[type(constraint).__name__] for constraint in made.constraints]


def ranking_texts(
    made: "Attack", text: "AttackedText", words: Iterable[int]
) -> "list[AttackedText]":
    """What the search asks the victim before it ranks words: the text with each of them hidden.

    TextFooler and TextBugger delete the word, BERT-Attack puts "[UNK]" in its place. A search that
    does not rank words (misspelling's) asks about none.

        words     numbers of the words that may be changed
        returns   a text per word, in their order, or []
    """
    hide = {
        "delete": lambda word: text.delete_word_at_index(word),
        "unk": lambda word: text.replace_word_at_index(word, made.search_method.unk_token),
    }
    method = getattr(made.search_method, "wir_method", None)
    return [hide[method](word) for word in words] if method else []


def limit_in_words(task: "Task", name: str) -> str:
    """How many words an attack may change: "10 % of the words, rounded up", "1", "any number"."""
    limit = word_limits(task)[name]
    if limit is None:
        return "any number"
    return f"{100 * limit:g} % of the words, rounded up" if limit < 1 else str(limit)
