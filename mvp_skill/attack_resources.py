"""What attacks look things up in, as objects one can swap.

neighbours   which words may replace a word: `Neighbours`
masked_lm    which words may replace a word in its sentence: `MaskedLMCandidates`
tagger       which of them keep the part of speech: `LexiconTagger`, `NltkTagger`
encoder      which of them keep the meaning: `BackboneEncoder`, `UniversalSentenceEncoder`

`attack_recipes.NEEDS` says which attack needs which.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mvp_skill.attack_recipes import NEEDS, recipe_named
from mvp_skill.backbones import check_safetensors
from mvp_skill.errors import BadInput
from mvp_skill.neighbours import WHERE_TO_GET, Neighbours, check_vector_file
from mvp_skill.scales import settings
from mvp_skill.taggers import LexiconTagger, NltkTagger

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
    """Angular similarity of the words around a change to ask for; the recipe's own if None."""

    def encode(self, sentences: list[str]) -> "Tensor":
        """Sentence vectors [batch, d]."""


class MaskedLM(Protocol):
    """Names words that fit the place of a word in a text."""

    fingerprint: str

    def read(self, texts: Sequence[str], k: int) -> None:
        """Read texts together, before `candidates` is asked about each of them."""

    def candidates(self, text: str, spans: Sequence[tuple[int, int]], k: int) -> list[list[str]]:
        """At most `k` words, the best first, for the characters [start, end) of each span."""


@dataclass(frozen=True)
class Resources:
    """What an attack looks things up in; None for what it has no need of."""

    neighbours: Neighbours | None = None
    tagger: Tagger | None = None
    encoder: Encoder | None = None
    masked_lm: MaskedLM | None = None

    def get(self, name: str) -> Any:
        """The resource of that name; BadInput if there is none."""
        if getattr(self, name) is None:
            raise BadInput(
                f"The attack needs the resource {name}, which was not made; make the resources "
                "with resources_for(scale, the name of the attack)."
            )
        return getattr(self, name)

    def fingerprints(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """One short text per resource; two attacks compare only if these agree.

        names   of the resources; all there are if None
        """
        if names is None:
            names = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return {name: self.get(name).fingerprint for name in names}


def resources_for(
    scale: str,
    recipe: str = "textfooler",
    *,
    neighbours: str | Path | None = None,
    tagger: str | None = None,
    encoder: str | Path | None = None,
    masked_lm: str | Path | None = None,
    device: str | None = None,
    known: Resources | None = None,
) -> Resources:
    """The resources that an attack needs, at a scale; every one may be replaced by name or path.

    scale        "mini" takes all of them from the mini world; any other scale takes them from the
                 files given, the NLTK tagger, and the Universal Sentence Encoder
    recipe       the attack; what it does not need is not looked at
    neighbours   "mini" or a file of word vectors (see `Neighbours.from_file`)
    tagger       "mini" or "nltk"
    encoder      "mini", "use", "use:FOLDER", or the local folder of a MiniLM or RoBERTa model
    masked_lm    shipped name, local folder or hub id of a RoBERTa or BERT model; the backbone of
                 the scale if None
    known        resources made before from the same sources: what they have is used again
    raises       BadInput for anything unknown or missing
    """
    recipe_named(recipe)  # refuses an unknown one
    sources = _sources(scale, neighbours, tagger, encoder, masked_lm)
    known = known or Resources()
    makers = {
        "neighbours": _neighbours,
        "tagger": _tagger,
        "encoder": lambda source: _encoder(source, device),
        "masked_lm": lambda source: _masked_lm(source, device),
    }
    missing = [name for name in NEEDS[recipe] if getattr(known, name) is None]
    return replace(known, **{name: makers[name](sources[name]) for name in missing})


def check_resources(
    scale: str,
    recipe: str = "textfooler",
    *,
    neighbours: str | Path | None = None,
    tagger: str | None = None,
    encoder: str | Path | None = None,
    masked_lm: str | Path | None = None,
) -> None:
    """What `resources_for` would refuse, as far as it shows without loading anything large.

    raises   BadInput for anything unknown or missing, with where to get it
    """
    recipe_named(recipe)  # refuses an unknown one
    sources = _sources(scale, neighbours, tagger, encoder, masked_lm)
    checks = {
        "neighbours": _check_neighbours,
        "tagger": _check_tagger,
        "encoder": _check_encoder,
        "masked_lm": _check_masked_lm,
    }
    for name in NEEDS[recipe]:
        checks[name](sources[name])


def _sources(
    scale: str,
    neighbours: str | Path | None,
    tagger: str | None,
    encoder: str | Path | None,
    masked_lm: str | Path | None,
) -> dict[str, Any]:
    """Where each resource comes from: what is given, otherwise what the scale says."""
    mini = scale == "mini"
    return {
        "neighbours": neighbours or ("mini" if mini else None),
        "tagger": tagger or ("mini" if mini else "nltk"),
        "encoder": str(encoder or ("mini" if mini else "use")),
        "masked_lm": masked_lm or settings(scale).backbone,
    }


def _check_neighbours(source: str | Path | None) -> None:
    if source is None:
        _neighbours(source)  # refuses
    elif source != "mini":
        check_vector_file(source)


def _check_tagger(name: str) -> None:
    if name != "mini":
        _tagger(name)


def _check_encoder(name: str) -> None:
    if name == "use" or name.startswith("use:"):
        if find_spec("tensorflow_hub") is None:
            _encoder(name, None)  # refuses
    elif name != "mini":
        if not (Path(name) / "config.json").is_file():
            _encoder(name, None)  # refuses
        for path in Path(name).glob("*.safetensors"):
            check_safetensors(path)


def _check_masked_lm(name: str | Path) -> None:
    from mvp_skill.masked_lm_candidates import check_masked_lm

    check_masked_lm(name)


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


def _masked_lm(name: str | Path, device: str | None) -> MaskedLM:
    from mvp_skill.masked_lm_candidates import MaskedLMCandidates

    return MaskedLMCandidates(name, device)
