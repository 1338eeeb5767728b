"""Part-of-speech taggers: what the attack's grammar constraint compares."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from textattack.constraints import Constraint


class LexiconTagger:
    """Universal parts of speech from a lexicon: word form (lower case) to its tags, such as
    `{"films": {"NOUN"}, "cuts": {"NOUN", "VERB"}}`; words that are missing are never swapped.
    """

    def __init__(self, tags: Mapping[str, Iterable[str]]):
        if not tags:
            raise BadInput("A tagger's lexicon needs at least one word with its tags.")
        self.tags = {word: frozenset(tags[word]) for word in sorted(tags)}

    def constraint(self) -> "Constraint":
        """The tag comparison as a TextAttack constraint."""
        from mvp_skill.attack_constraints import LexiconPartOfSpeech

        return LexiconPartOfSpeech(self.tags)

    @property
    def fingerprint(self) -> str:
        """Changes when a word or a tag changes."""
        lines = [f"{word} {' '.join(sorted(tags))}" for word, tags in self.tags.items()]
        digest = hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()
        return f"lexicon of {len(lines)} words, sha256 {digest[:16]}"


class NltkTagger:
    """NLTK's averaged perceptron tagger with universal tags, as in the paper's code.

    raises   BadInput if its files are not installed, with the command that installs them
    """

    FILES = (
        "taggers/averaged_perceptron_tagger_eng/averaged_perceptron_tagger_eng.weights.json",
        "taggers/universal_tagset/en-ptb.map",
    )

    def __init__(self):
        import nltk

        digest = hashlib.sha256()
        for name in self.FILES:
            try:
                with nltk.data.find(name).open() as file:
                    digest.update(file.read())
            except LookupError as error:
                raise BadInput(
                    f"NLTK's file {name} is not installed; run `python -m nltk.downloader "
                    "averaged_perceptron_tagger_eng universal_tagset`, or without a network copy "
                    "both folders into a folder `taggers` and set the variable NLTK_DATA to the "
                    "folder above it."
                ) from error
        self.fingerprint = f"nltk {nltk.__version__} perceptron, sha256 {digest.hexdigest()[:16]}"

    def constraint(self) -> "Constraint":
        """TextAttack's own constraint, unchanged."""
        from mvp_skill.textattack_import import textattack

        grammaticality = textattack().constraints.grammaticality
        return grammaticality.PartOfSpeech(tagger_type="nltk", allow_verb_noun_swap=True)
