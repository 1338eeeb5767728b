"""The three resources of a word-substitution attack, as objects one can swap.

neighbours   which words may replace a word: `Neighbours`
tagger       which of them keep the part of speech: `LexiconTagger`, `NltkTagger`
encoder      which of them keep the meaning: `BackboneEncoder`, `UniversalSentenceEncoder`
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mvp_skill.backbones import check_safetensors
from mvp_skill.errors import BadInput
from mvp_skill.neighbours import WHERE_TO_GET, Neighbours, check_vector_file

if TYPE_CHECKING:
    from textattack.constraints import Constraint
    from torch import Tensor


class Tagger(Protocol):
    """Makes the constraint that keeps the part of speech, nouns and verbs interchangeable."""

    fingerprint: str

    def constraint(self) -> "Constraint":
        """A TextAttack constraint on word swaps."""


class Encoder(Protocol):
    """Turns sentences into vectors whose angle tells how far apart they are in meaning."""

    fingerprint: str
    least_similarity: float | None
    """Angular similarity to ask for with this encoder; the recipe's own if None."""

    def encode(self, sentences: list[str]) -> "Tensor":
        """Sentence vectors [batch, d]."""

    def clear_cache(self) -> None:
        """Forget stored vectors; called after each example."""


@dataclass(frozen=True)
class Resources:
    """What an attack looks things up in."""

    neighbours: Neighbours
    tagger: Tagger
    encoder: Encoder

    def fingerprints(self) -> dict[str, str]:
        """One short text per resource; two attacks compare only if these agree."""
        return {
            "neighbours": self.neighbours.fingerprint,
            "tagger": self.tagger.fingerprint,
            "encoder": self.encoder.fingerprint,
        }


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


def resources_for(
    scale: str,
    *,
    neighbours: str | Path | None = None,
    tagger: str | None = None,
    encoder: str | Path | None = None,
    device: str | None = None,
) -> Resources:
    """The resources of an attack at a scale; every one may be replaced by name or path.

    scale        "mini" takes all three from the mini world; any other scale takes them from the
                 files given, the NLTK tagger, and the Universal Sentence Encoder
    neighbours   "mini" or a file of word vectors (see `Neighbours.from_file`)
    tagger       "mini" or "nltk"
    encoder      "mini", "use", "use:FOLDER", or the local folder of a MiniLM or RoBERTa model
    raises       BadInput for anything unknown or missing
    """
    mini = scale == "mini"
    return Resources(
        neighbours=_neighbours(neighbours or ("mini" if mini else None)),
        tagger=_tagger(tagger or ("mini" if mini else "nltk")),
        encoder=_encoder(str(encoder or ("mini" if mini else "use")), device),
    )


def check_resources(
    scale: str,
    neighbours: str | Path | None = None,
    tagger: str | None = None,
    encoder: str | Path | None = None,
) -> None:
    """What `resources_for` would refuse, as far as it shows without loading anything large.

    raises   BadInput for anything unknown or missing, with where to get it
    """
    mini = scale == "mini"
    source = neighbours or ("mini" if mini else None)
    if source is None:
        _neighbours(source)  # refuses
    elif source != "mini":
        check_vector_file(source)
    if tagger != "mini" and not (mini and tagger is None):
        _tagger(tagger or "nltk")
    name = str(encoder or ("mini" if mini else "use"))
    if name == "use" or name.startswith("use:"):
        if find_spec("tensorflow_hub") is None:
            _encoder(name, None)  # refuses
    elif name != "mini":
        if not (Path(name) / "config.json").is_file():
            _encoder(name, None)  # refuses
        for path in Path(name).glob("*.safetensors"):
            check_safetensors(path)


def _neighbours(source: str | Path | None) -> Neighbours:
    if source is None:
        raise BadInput(f"Real text needs word vectors for the attack; {WHERE_TO_GET}.")
    if source == "mini":
        from mvp_skill.mini import vectors

        return Neighbours(*vectors.load())
    return Neighbours.from_file(source)


def _tagger(name: str) -> Tagger:
    if name == "mini":
        from mvp_skill.mini import lexicon

        return LexiconTagger(lexicon.load().tags())
    if name == "nltk":
        return NltkTagger()
    raise BadInput(f"Unknown tagger {name!r}; the taggers are 'mini' (lexicon) and 'nltk'.")


def _encoder(name: str, device: str | None) -> Encoder:
    from mvp_skill.sentence_encoders import USE_URL, BackboneEncoder, UniversalSentenceEncoder

    if name == "mini":
        from mvp_skill.mini import encoder

        return encoder.load(device)
    if name == "use" or name.startswith("use:"):
        return UniversalSentenceEncoder(name.partition(":")[2] or USE_URL)
    return BackboneEncoder(name, device)
