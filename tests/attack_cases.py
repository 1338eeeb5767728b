"""A hand-made world for tests of the attack: word vectors, a victim, and resources without models.

Words of one group are near each other (cosine above 0.9), words of different groups are not.
"""

import sys
import types
from dataclasses import dataclass, field

import numpy as np
import torch

from mvp_skill.attack_resources import Resources
from mvp_skill.attacks import attack
from mvp_skill.neighbours import Neighbours
from mvp_skill.taggers import LexiconTagger
from mvp_skill.tasks import Task

GROUPS = {
    "good": ("good", "decent", "okay"),
    "bad": ("bad", "poor", "awful"),
    "film": ("film", "movie", "picture"),
    "plot": ("plot", "story", "tale"),
    "cast": ("cast", "troupe", "crew"),
    "laugh": ("laugh", "giggle", "laughter"),
    "the": ("the", "that", "those"),
    "deep": ("deep", "depth"),  # near, but of different parts of speech
}
TAGS = {
    **dict.fromkeys(("good", "decent", "okay", "bad", "poor", "awful", "deep"), {"ADJ"}),
    **dict.fromkeys(("film", "movie", "picture", "plot", "story", "tale", "depth"), {"NOUN"}),
    **dict.fromkeys(("cast", "troupe", "crew", "laughter"), {"NOUN"}),
    **dict.fromkeys(("laugh", "giggle"), {"VERB"}),
    **dict.fromkeys(GROUPS["the"], {"DET"}),
}
# What a word says for the class "positive"; words that are not here say nothing.
WEIGHTS = {"good": 2.0, "decent": 0.6, "okay": -0.9, "bad": -2.0, "poor": -0.6, "awful": -2.5}

ONE = Task("reviews", ("negative", "positive"), ("text",), max_perturbed_fraction=0.3)
TWO = Task("questions", ("no", "yes"), ("passage", "question"), ("question",), 0.1)
FILLER = "of it all and then there was no more to be seen by any of us"  # stop words, or unknown


def neighbours(k=50):
    words = [word for group in GROUPS.values() for word in group]
    vectors = np.zeros((len(words), len(GROUPS) + 3), dtype=np.float32)
    rows = iter(vectors)
    for g, group in enumerate(GROUPS.values()):
        for j, _ in enumerate(group):
            row = next(rows)
            row[g], row[len(GROUPS) + j] = 1.0, 0.2 * j
    return Neighbours(words, vectors, k)


@dataclass
class CountingEncoder:
    """Every sentence looks the same, unless it contains a word of `far`."""

    far: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    fingerprint: str = "counting"
    least_similarity: float | None = None

    def encode(self, sentences):
        self.asked += sentences
        is_far = [any(word in s.split() for word in self.far) for s in sentences]
        return torch.tensor([[0.0, 1.0] if far else [1.0, 0.0] for far in is_far])


class PlannedMaskedLM:
    """A masked language model that expects the words of the same group."""

    fingerprint = "planned"

    def read(self, texts, k):
        assert len(set(texts)) == len(texts)

    def candidates(self, text, spans, k):
        groups = {word: group for group in GROUPS.values() for word in group}
        return [list(groups.get(text[start:end], ()))[:k] for start, end in spans]


def resources(encoder=None):
    tagger = LexiconTagger(TAGS)
    return Resources(neighbours(), tagger, encoder or CountingEncoder(), PlannedMaskedLM())


def fake_hub(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", types.SimpleNamespace(load=load))


class BagOfWords:
    """A victim with hand-set weights that remembers what it was asked."""

    def __init__(self, weights=None, n_classes=2):
        self.weights = WEIGHTS if weights is None else weights
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        joined = [text if isinstance(text, str) else " ".join(text) for text in texts]
        scores = [sum(self.weights.get(word, 0.0) for word in text.split()) for text in joined]
        scores = torch.tensor(scores)
        return torch.stack([-scores, scores], dim=1)  # [batch, class]


def examples(*rows):
    return [{"texts": [text] if isinstance(text, str) else text, "label": y} for text, y in rows]


def without_seconds(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


MIXED = examples(
    ("the film was good", 1),  # one change does it
    ("a bad plot but a decent cast", 0),
    ("the film was good", 0),  # wrong before the attack
    ("good good good good good film with a good story", 1),  # three words may change: not enough
    ("poor film", 0),
    (f"a good film {FILLER}", 1),  # over 15 words: the encoder is asked
    ("nothing to swap here", 1),
)


def random_table(n_words=13, d=7, k=5, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n_words, d)).astype(np.float32)
    return Neighbours([f"word{i}" for i in range(n_words)], vectors, k)


def run(victim, rows, task=ONE, encoder=None, **options):
    options = {"progress": False, **options}
    return attack(victim, rows, task=task, resources=resources(encoder), **options)


def one(victim, text, label, task=ONE, encoder=None, **options):
    return run(victim, examples((text, label)), task, encoder, **options).records[0]


def sentences_asked(name, text, **options):
    """What a victim is asked that never changes its mind: every candidate of every word, once."""
    victim = BagOfWords({"zebra": 1.0})
    one(victim, text, 0, recipe=name, **options)
    return [asked for asked in victim.asked[3:] if asked != text]  # without check and first query


def changed(record):
    before, after = (" ".join(record[name]).split() for name in ("texts", "attacked_texts"))
    assert len(before) == len(after)
    return [(a, b) for a, b in zip(before, after, strict=True) if a != b]


def tie(n_words):
    """A sentence of `n_words` words with one that the attack can turn: good to okay."""
    return " ".join(["good", *FILLER.split()][:n_words])
