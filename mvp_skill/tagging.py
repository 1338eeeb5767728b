"""The tag that NLTK's perceptron gives a word among others, without tagging what follows it."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=2**15)
def tag_of(before: tuple[str, ...], word: str, after: tuple[str, ...]) -> str:
    """The universal tag of `word`, as `nltk.pos_tag` gives it for all the words together.

    Of a word that stands there twice it is the tag of the first, as in TextAttack's constraint.

        before, after   the words around it
    """
    from nltk import tag

    words = [*before, word, *after]
    return tag.map_tag(
        "en-ptb", "universal", tag_at(tag._get_tagger("eng"), words, words.index(word))
    )


def tag_at(tagger: Any, words: list[str], index: int) -> str:
    """The tag of one word; the tagger goes from left to right, so it may stop there.

    The words after it count, because the features of a word look ahead.
    """
    previous, before_that = tagger.START
    context = [*tagger.START, *map(tagger.normalize, words), *tagger.END]
    for place, word in enumerate(words[: index + 1]):
        found = tagger.tagdict.get(word)
        if not found:
            features = tagger._get_features(place, word, context, previous, before_that)
            found, _ = tagger.model.predict(features)
        before_that, previous = previous, found
    return previous
