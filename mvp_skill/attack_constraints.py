"""The pieces we add to TextAttack: victim wrapper, lexicon tag constraint, encoder constraint.

Importing this module imports TextAttack (several seconds), so other modules import it inside
functions.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mvp_skill.textattack_import import textattack

ta = textattack()


@contextmanager
def quiet() -> Iterator[None]:
    """Without TextAttack's note that it does not know the class of the victim."""
    logger = ta.shared.logger
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it logs with `warn`
            yield
    finally:
        logger.setLevel(level)


class VictimWrapper(ta.models.wrappers.ModelWrapper):
    """A victim as TextAttack's model: evaluation of a list of texts without gradients.

    TextAttack hands over strings, or tuples of columns in the order of the attacked text, which is
    the task's order; both go to the victim as they are.
    """

    def __init__(self, victim):
        self.model = victim

    @torch.inference_mode()
    def __call__(self, text_input_list, **kwargs):
        """Class logits [batch, class], float32, each row shifted to a maximum of zero.

        TextAttack takes outputs for probabilities if every row of a batch sums to one, which logits
        may do by chance. Shifted rows never do, and their softmax is the same to the bit.
        """
        return shifted(self.model(text_input_list))


def shifted(logits: torch.Tensor) -> torch.Tensor:
    """Logits in 32 bits, each row shifted to a maximum of zero; both [batch, class]."""
    logits = logits.float()
    return logits - logits.amax(dim=1, keepdim=True)


class LexiconPartOfSpeech(ta.constraints.Constraint):
    """New and original word share a universal part of speech; nouns and verbs are interchangeable.

    Like TextAttack's PartOfSpeech, but the tags come from a lexicon (word form to set of tags),
    without context: a word with several tags may take the place of a word with any one of them. A
    word that the lexicon does not know fits nowhere.
    """

    def __init__(self, tags):
        super().__init__(compare_against_original=True)
        self.tags = tags

    def _check_constraint(self, transformed_text, reference_text):
        return all(
            self._fit(reference_text.words[i], transformed_text.words[i])
            for i in transformed_text.attack_attrs["newly_modified_indices"]
        )

    def _fit(self, old, new):
        old_tags, new_tags = self._tags(old), self._tags(new)
        return not old_tags.isdisjoint(new_tags)

    def _tags(self, word):
        tags = set(self.tags.get(word.lower(), ()))
        return tags | {"NOUN", "VERB"} if tags & {"NOUN", "VERB"} else tags

    def check_compatibility(self, transformation):
        """Only word swaps keep the word indices that the comparison needs."""
        return ta.shared.validators.transformation_consists_of_word_swaps(transformation)


class EncoderSimilarity(ta.constraints.semantics.sentence_encoders.SentenceEncoder):
    """TextAttack's sentence encoder constraint with the vectors of `encoder.encode(sentences)`."""

    def __init__(self, encoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder

    def encode(self, sentences):
        """Sentence vectors [batch, d]."""
        return self.encoder.encode(sentences)
