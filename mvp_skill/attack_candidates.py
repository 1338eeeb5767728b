"""The transformations we add to TextAttack: look-alike letters and words of a language model.

Importing this module imports TextAttack (several seconds), so other modules import it inside
functions.
"""

from mvp_skill.look_alikes import LOOK_ALIKES
from mvp_skill.textattack_import import textattack

ta = textattack()


class LookAlikeSwap(ta.transformations.WordSwap):
    """Each letter of a word that has a look-alike, exchanged for it, one at a time."""

    def _get_replacement_words(self, word):
        return [
            word[:i] + LOOK_ALIKES[letter] + word[i + 1 :]
            for i, letter in enumerate(word)
            if letter in LOOK_ALIKES
        ]


class MaskedLMSwap(ta.transformations.WordSwap):
    """A word exchanged for the candidates of a masked language model, in the casing of the word.

    masked_lm        an object with `candidates(text, spans, k)`
    max_candidates   k: pieces taken at each piece of a word, and words made of them

    Only what TextAttack takes for one word is a candidate, so no punctuation.
    """

    def __init__(self, masked_lm, max_candidates):
        super().__init__()
        self.masked_lm, self.max_candidates = masked_lm, max_candidates

    def _get_transformations(self, current_text, indices_to_modify):
        indices = list(indices_to_modify)
        found = self._words_at(current_text, indices)
        return [
            current_text.replace_word_at_index(i, new)
            for i, words in zip(indices, found, strict=True)
            for new in words
        ]

    def words_for(self, text, index):
        """The words that take the place of one word of an attacked text."""
        return self._words_at(text, [index])[0]

    def _words_at(self, text, indices):
        spans = word_spans(text)
        found = self.masked_lm.candidates(
            text.text, [spans[i] for i in indices], self.max_candidates
        )
        return [self._swaps(text.words[i], words) for i, words in zip(indices, found, strict=True)]

    def _swaps(self, word, candidates):
        """Different one-word candidates other than the word, in its casing."""
        recover = ta.transformations.word_swaps.word_swap_embedding.recover_word_case
        one_word = [c for c in candidates if ta.shared.utils.words_from_text(c) == [c]]
        cased = dict.fromkeys(recover(candidate, word) for candidate in one_word)
        return [candidate for candidate in cased if candidate != word]

    def extra_repr_keys(self):
        """What TextAttack prints of it."""
        return ["max_candidates"]


def word_spans(text):
    """Characters [start, end) of each word of an attacked text, in `text.text`."""
    spans, end = [], 0
    for word in text.words:
        start = text.text.index(word, end)
        end = start + len(word)
        spans.append((start, end))
    return spans
